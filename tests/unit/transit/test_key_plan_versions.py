# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a plan has for a key's versions: rotation and trimming."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import (
    plan_key,
)

from tests.unit.transit.states import State, key, reasons

# --- keys, rotation ---


@pytest.mark.parametrize(
    ("older_than", "age", "rotate"),
    [
        (None, 10.0**9, False),
        (None, None, False),
        (0, 0.0, True),
        (0, 5.0, True),
        (3600, 3599.9, False),
        (3600, 3600.0, True),
        (3600, 3600.1, True),
    ],
)
def test_a_key_is_rotated_at_the_requested_age(older_than: int | None, age: float | None, rotate: bool) -> None:
    plan = plan_key("ml", {}, key(latest_version=3), rotate_older_than=older_than, age=age)
    assert plan.rotate is rotate
    assert plan.changed is rotate
    assert plan.after is not None
    assert plan.after["latest_version"] == (4 if rotate else 3)


def test_a_new_key_is_not_rotated() -> None:
    assert not plan_key("ml", {}, None, rotate_older_than=0).rotate


def test_a_key_whose_age_is_unknown_cannot_be_rotated_by_age() -> None:
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", {}, key(type="hmac", key_size=32), rotate_older_than=3600, age=None)
    assert reasons(error) == ["the server does not report the age of a key of type hmac"]


def test_the_version_that_a_rotation_makes_may_be_the_minimum() -> None:
    plan = plan_key("ml", {"min_encryption_version": 2}, key(), rotate_older_than=0, age=1.0)
    assert plan.rotate
    assert plan.configure == {"min_encryption_version": 2}


# --- keys, trimming ---

BELOW = "versions below 2 were trimmed, and do not come back"


@pytest.mark.parametrize(
    ("actual", "wanted", "oldest", "trim", "reason"),
    [
        ({"min_decryption_version": 3, "min_encryption_version": 3}, {}, 3, 3, None),
        ({"min_decryption_version": 3, "min_encryption_version": 3}, {}, 2, 2, None),
        ({}, {"min_decryption_version": 3, "min_encryption_version": 3}, 3, 3, None),
        ({"min_available_version": 2, "min_decryption_version": 2, "min_encryption_version": 2}, {}, 2, None, None),
        ({}, {}, 0, None, None),
        ({"min_available_version": 2, "min_decryption_version": 2, "min_encryption_version": 2}, {}, 1, None, BELOW),
        ({"min_decryption_version": 3}, {}, 3, None, "min_encryption_version is not set"),
        ({"min_decryption_version": 2, "min_encryption_version": 3}, {}, 3, None, "min_decryption_version is 2"),
        ({"min_decryption_version": 3, "min_encryption_version": 4}, {}, 5, None, "min_decryption_version is 3"),
    ],
)
def test_only_versions_below_both_minimum_versions_are_trimmed(
    actual: State, wanted: State, oldest: int, trim: int | None, reason: str | None
) -> None:
    held = key(latest_version=4, **actual)
    if reason is not None:
        with pytest.raises(ChangeImpossible) as error:
            plan_key("ml", wanted, held, min_available_version=oldest)
        assert any(reason in text for text in reasons(error)), reasons(error)
        return
    plan = plan_key("ml", wanted, held, min_available_version=oldest)
    assert plan.trim == trim
    assert plan.changed is (trim is not None)
    assert plan.after is not None
    assert plan.after["min_available_version"] == oldest


def test_a_new_key_has_nothing_to_trim() -> None:
    assert plan_key("ml", {}, None, min_available_version=0).trim is None
    with pytest.raises(ChangeImpossible):
        plan_key("ml", {}, None, min_available_version=2)
