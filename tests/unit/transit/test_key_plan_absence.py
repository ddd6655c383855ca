# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps delete a key, and when a plan refuses to."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import (
    KeyPlan,
    key_state,
    plan_key_absence,
)

from tests.unit.transit.states import State, key


@pytest.mark.parametrize(
    ("actual", "force", "configure", "delete"),
    [
        (None, False, {}, False),
        (None, True, {}, False),
        (key(deletion_allowed=True), False, {}, True),
        (key(deletion_allowed=True), True, {}, True),
        (key(), True, {"deletion_allowed": True}, True),
    ],
)
def test_the_steps_to_absence(actual: State | None, force: bool, configure: State, delete: bool) -> None:
    plan = plan_key_absence("ml", actual, force=force)
    assert plan == KeyPlan(
        before=None if actual is None else key_state(actual), after=None, configure=configure, delete=delete
    )
    assert plan.changed is delete


def test_a_protected_key_is_not_deleted_without_force() -> None:
    with pytest.raises(ChangeImpossible) as error:
        plan_key_absence("ml", key(), force=False)
    assert error.value.message == (
        "Key 'ml' cannot be deleted: deletion_allowed is false on the server, which protects everything encrypted "
        "with the key; set deletion_allowed: true first, or give force: true. Nothing was changed."
    )
