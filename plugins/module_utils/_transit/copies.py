# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Whether two keys may have versions in common. Pure. **Private** to the collection.

A backup can be restored under another name. That copy decrypts the ciphertexts of the key, also those that the key
itself no longer decrypts.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import creation_times, moment


def may_be_copied(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None, version: int) -> bool:
    """Whether the version of another key, which decrypts a ciphertext, may be a version of ours as well.

    The server lists no version below the floor, so that the times of ours may be missing.

    Args:
        theirs: the attributes of the other key, ``None`` where they cannot be read.
    """
    if theirs is None:
        return not int(ours.get("min_decryption_version") or 0) <= version <= int(ours["latest_version"])
    if any(ours.get(name) != theirs.get(name) for name in ("type", "derived")):
        return False
    restored = [_restored(one) for one in (ours, theirs) if one.get("restore_info")]
    if not restored:
        return False
    made = creation_times(theirs).get(version)
    # Later than all restores, each key makes versions of its own.
    return made is None or (made <= max(restored) and _fits(creation_times(ours), version, made))


def _fits(ours: Mapping[int, float], version: int, made: float) -> bool:
    """Whether a version of that time fits between our versions."""
    if version in ours:
        return ours[version] == made
    return all(time <= made if number < version else time >= made for number, time in ours.items())


def _restored(actual: Mapping[str, Any]) -> float:
    info = actual["restore_info"]
    time = moment(info.get("time")) if isinstance(info, dict) else None
    return float("inf") if time is None else time
