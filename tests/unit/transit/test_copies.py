# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether another key that decrypts a ciphertext may be a copy of ours."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.copies import may_be_copied

RESTORED = {"time": "1970-01-01T00:05:00.5Z", "version": 2}


def key(times: dict[int, int], **more: Any) -> dict[str, Any]:
    listed = {str(version): time for version, time in times.items()}
    shown = {"type": "aes256-gcm96", "derived": True, "latest_version": max(times), "keys": listed}
    return {**shown, "min_decryption_version": min(times), **more}


OURS = key({3: 200, 4: 400})


@pytest.mark.parametrize(
    ("theirs", "version", "expected"),
    [
        pytest.param(key({1: 100}), 1, False, id="never restored"),
        pytest.param(key({1: 100}, restore_info=RESTORED), 1, True, id="older than ours"),
        pytest.param(key({1: 250}, restore_info=RESTORED), 1, False, id="newer than a later version of ours"),
        pytest.param(key({3: 200}, restore_info=RESTORED), 3, True, id="the same time"),
        pytest.param(key({3: 201}, restore_info=RESTORED), 3, False, id="another time"),
        pytest.param(key({5: 299}, restore_info=RESTORED), 5, False, id="older than an earlier version of ours"),
        pytest.param(key({1: 301}, restore_info=RESTORED), 1, False, id="made after the restore"),
        pytest.param(key({1: 100}, restore_info=RESTORED, derived=False), 1, False, id="of another kind"),
        pytest.param(key({1: 100}, restore_info={}), 1, False, id="an empty restore info"),
        pytest.param(key({1: 100}, restore_info={"time": "?"}), 1, True, id="restored at a time that is not known"),
        pytest.param(None, 1, True, id="not readable, and below the floor"),
        pytest.param(None, 3, False, id="not readable, and ours looked itself"),
    ],
)
def test_only_times_that_contradict_prove_another_key(
    theirs: dict[str, Any] | None, version: int, *, expected: bool
) -> None:
    assert may_be_copied(OURS, theirs, version) is expected


def test_ours_may_be_the_copy() -> None:
    restored = key({3: 200, 4: 400}, restore_info={"time": "1970-01-01T00:08:00Z", "version": 4})
    assert may_be_copied(restored, key({1: 100}), 1)
    assert may_be_copied(restored, key({5: 470}), 5)
    assert not may_be_copied(restored, key({5: 490}), 5)
