# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: what happens to each entry, and how a diff shows it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import (
    ADDED,
    KEPT,
    REFRESHED,
    REMOVED,
    REWRAPPED,
    UPDATED,
    EntryChange,
    decide,
    summary,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry

from tests.unit.vars_file.texts import sealed


def stored(name: str, version: int, fingerprint: int | None = 1) -> Entry:
    return Entry(name, sealed(version), sealed(fingerprint) if fingerprint else "")


def test_entries_that_are_left_stay_whatever_their_version_and_are_not_removed() -> None:
    entry = stored("a", 1)
    for purge in (False, True):
        [change] = decide({"a": entry}, {}, version=9, fingerprint_version=9, purge=purge, left={"a"})
        assert (change.action, change.before, change.after) == (KEPT, entry.version, entry.version)
    [change] = decide(
        {"a": entry}, {"a": "the value changed"}, version=9, fingerprint_version=9, purge=False, left={"a"}
    )
    assert change.action == UPDATED


@pytest.mark.parametrize(
    ("entry", "same", "version", "fingerprint_version", "purge", "change"),
    [
        # Given, and the same value as the stored one.
        (stored("a", 1), {"a": None}, 1, 1, False, EntryChange("a", KEPT, "", 1, 1)),
        (stored("a", 1), {"a": None}, 1, 1, True, EntryChange("a", KEPT, "", 1, 1)),
        (
            stored("a", 1),
            {"a": None},
            2,
            2,
            False,
            EntryChange("a", REWRAPPED, "behind version 2", 1, 2, fingerprint=True),
        ),
        (stored("a", 1), {"a": None}, 2, 1, False, EntryChange("a", REWRAPPED, "behind version 2", 1, 2)),
        (
            stored("a", 2),
            {"a": None},
            2,
            2,
            False,
            EntryChange("a", REFRESHED, "fingerprint of an older version", 2, 2, fingerprint=True),
        ),
        (
            stored("a", 1, None),
            {"a": None},
            1,
            1,
            False,
            EntryChange("a", REFRESHED, "fingerprint of an older version", 1, 1, fingerprint=True),
        ),
        # A newer entry than the pinned version stays.
        (stored("a", 3, 3), {"a": None}, 2, 3, False, EntryChange("a", KEPT, "", 3, 3)),
        (stored("a", 3, 3), {}, 2, 3, False, EntryChange("a", KEPT, "", 3, 3)),
        # Given, and another value.
        (
            stored("a", 1),
            {"a": "the value changed"},
            1,
            1,
            False,
            EntryChange("a", UPDATED, "the value changed", 1, 1, fingerprint=True),
        ),
        (
            stored("a", 1),
            {"a": "fingerprint expired"},
            4,
            4,
            False,
            EntryChange("a", UPDATED, "fingerprint expired", 1, 4, fingerprint=True),
        ),
        # Not given.
        (stored("a", 1), {}, 1, 1, False, EntryChange("a", KEPT, "", 1, 1)),
        (stored("a", 1, None), {}, 1, 1, False, EntryChange("a", KEPT, "", 1, 1)),
        (stored("a", 1), {}, 2, 2, False, EntryChange("a", REWRAPPED, "behind version 2", 1, 2)),
        (stored("a", 1), {}, 1, 1, True, EntryChange("a", REMOVED, "not among secrets", 1, None)),
        (stored("a", 1), {}, 2, 2, True, EntryChange("a", REMOVED, "not among secrets", 1, None)),
        # Not stored.
        (None, {"a": "new"}, 1, 1, False, EntryChange("a", ADDED, "new", None, 1, fingerprint=True)),
        (None, {"a": "new"}, 7, 9, True, EntryChange("a", ADDED, "new", None, 7, fingerprint=True)),
    ],
)
def test_what_happens_to_an_entry(
    entry: Entry | None,
    same: Mapping[str, str | None],
    version: int,
    fingerprint_version: int,
    purge: bool,
    change: EntryChange,
) -> None:
    entries = {entry.name: entry} if entry else {}
    changes = decide(entries, same, version=version, fingerprint_version=fingerprint_version, purge=purge)
    assert changes == [change]


def test_changes_are_in_the_order_of_the_file_and_then_of_names() -> None:
    entries = {name: stored(name, 1) for name in ("z", "m", "a")}
    changes = decide(
        entries, {"y": "new", "b": "new", "a": None, "m": None}, version=1, fingerprint_version=1, purge=False
    )
    assert [change.name for change in changes] == ["z", "m", "a", "b", "y"]


def test_the_diff_has_names_versions_and_reasons() -> None:
    changes = [
        EntryChange("kept", KEPT, "", 1, 1),
        EntryChange("new", ADDED, "new", None, 2, fingerprint=True),
        EntryChange("old", REWRAPPED, "behind version 2", 1, 2),
        EntryChange("gone", REMOVED, "not among secrets", 1, None),
    ]
    assert summary(changes, after=False) == {"kept": "v1", "old": "v1", "gone": "v1"}
    assert summary(changes, after=True) == {
        "kept": "v1",
        "new": "v2 (added: new)",
        "old": "v2 (rewrapped: behind version 2)",
    }
