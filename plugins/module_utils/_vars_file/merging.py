# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Merge two descendants of an encrypted vars file, entry by entry. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, VarsFile
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import clashes, covers, split


@dataclass(frozen=True)
class Merged:
    """What takes our side to both sides.

    Attributes:
        edits: the changes to our file.
        conflicts: names whose values differ on both sides, or that one side changed and the other removed, or left
            without encryption.
    """

    edits: Edits
    conflicts: list[str] = field(default_factory=list)


def merge(base: VarsFile, ours: VarsFile, theirs: VarsFile) -> Merged:
    """Compare both sides with their common ancestor. All three belong to the same key.

    A ciphertext that was only rewrapped, which its fingerprint or the ciphertext before it shows, does not change a
    value.
    """
    ciphertexts: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    removed: list[str] = []
    conflicts = _in_plain(base, ours, theirs)
    apart = _lists_apart(base, ours, theirs)
    for name in dict.fromkeys([*ours.entries, *theirs.entries]):
        if name in conflicts:
            continue
        chosen, is_conflict = _choice(base.entries.get(name), ours.entries.get(name), theirs.entries.get(name))
        if is_conflict or any(covers(one, name) for one in apart):
            conflicts.append(name)
        elif chosen == ours.entries.get(name):
            continue
        elif chosen is None:
            removed.append(name)
        else:
            ciphertexts[name] = chosen.ciphertext
            # As it is: one that belongs to another ciphertext must be noticed after the merge, too.
            if chosen.fingerprint:
                fingerprints[name] = chosen.stored_fingerprint
    of_ours = [name for name in (*ours.entries, *ours.open) if name not in removed]
    added = [name for name in theirs.open if name not in base.open]
    of_both = dict.fromkeys([*of_ours, *ciphertexts, *added])
    conflicts += [name for name in clashes(of_both) if name not in conflicts]
    kind = max(ours.format, theirs.format)
    keys = (ours.backend, ours.key, ours.fingerprint_key or ours.key)
    origins = {name: theirs.entries[name].origin for name in ciphertexts if theirs.entries[name].first}
    edits = Edits(*keys, ciphertexts, fingerprints, removed, kind, origins)
    return Merged(edits, conflicts)


def _in_plain(base: VarsFile, ours: VarsFile, theirs: VarsFile) -> list[str]:
    """Values that at least one side leaves without encryption, and that both sides changed."""
    return [
        name
        for name in dict.fromkeys([*base.open, *ours.open, *theirs.open])
        if _differ(base, ours, {name}) and _differ(base, theirs, {name}) and _differ(ours, theirs, {name})
    ]


def _lists_apart(base: VarsFile, ours: VarsFile, theirs: VarsFile) -> list[str]:
    """Lists that both sides changed, of which one has another length.

    An element that comes or goes gives all behind it other names, so it looks like a change of these.
    """
    sides = [_by_list(file) for file in (base, ours, theirs)]
    lengths = [
        {name: len({path[len(name) :].split(".")[1] for path in paths}) for name, paths in of.items()} for of in sides
    ]
    return [
        name
        for name in dict.fromkeys(name for side in sides for name in side)
        if len({length.get(name, 0) for length in lengths}) > 1
        and _differ(base, ours, {*sides[0].get(name, ()), *sides[1].get(name, ())})
        and _differ(base, theirs, {*sides[0].get(name, ()), *sides[2].get(name, ())})
        and _differ(ours, theirs, {*sides[1].get(name, ()), *sides[2].get(name, ())})
    ]


def _by_list(file: VarsFile) -> dict[str, list[str]]:
    """The paths of leaves, by the lists that they are in."""
    found: dict[str, list[str]] = {}
    for path in (*file.entries, *file.open):
        parts = path.split(".")
        for count in range(1, len(parts)):
            if isinstance(split(parts[count])[0], int):
                found.setdefault(".".join(parts[:count]), []).append(path)
    return found


def _differ(one: VarsFile, other: VarsFile, names: set[str]) -> bool:
    return any(
        _is_other_value(one.entries.get(name), other.entries.get(name)) or _in_open(one, name) != _in_open(other, name)
        for name in names
    )


def _in_open(file: VarsFile, name: str) -> tuple[Any, ...]:
    """A value without encryption, with its type: true equals 1."""
    return (type(file.open[name]), file.open[name]) if name in file.open else ()


def of_one_key(*files: VarsFile) -> bool:
    """Whether files that hold something name the same engine and the same keys, and hold their entries themselves."""
    named = {(file.backend, file.key, file.fingerprint_key) for file in files if file.text.strip()}
    return len(named) == 1 and all(file.place is None for file in files)


def _choice(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> tuple[Entry | None, bool]:
    """The entry that stays, and whether the sides contradict each other."""
    if ours is None or theirs is None:
        left = ours or theirs
        # Removed on one side, and at most rewrapped on the other.
        is_removed = base is not None
        return (None if is_removed else left), is_removed and _is_other_value(base, left)
    if _is_other_value(ours, theirs):
        if not _is_other_value(base, ours):
            return theirs, False
        return ours, _is_other_value(base, theirs)
    newest = theirs if theirs.version > ours.version else ours
    return newest, False


def _is_other_value(one: Entry | None, other: Entry | None) -> bool:
    """Whether two entries may hold different values."""
    if one is None or other is None:
        return one is not other
    if one.ciphertext == other.ciphertext:
        return False
    if one.is_misbound or other.is_misbound:
        return True
    # A rotation with permission to decrypt renews fingerprints. It also says from which ciphertext it rewrapped.
    is_rewrapped = one.version != other.version and one.origin == other.origin
    return not is_rewrapped and (not one.fingerprint or one.fingerprint != other.fingerprint)
