# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever files hold: after a rotation and a trim everything still decrypts, unless it was accepted by name."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.e2e.fleets import KEY, VALUES, Fleet
from tests.e2e.trees import Tree

#: More seeds, to look for trouble: MLKEYS_TREES=1,2,3
SEEDS = [int(seed) for seed in os.environ.get("MLKEYS_TREES", "1,2,3").split(",")]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost(fleet: Fleet, seed: int) -> None:
    tree = Tree(fleet, seed)
    assert tree.lost() == []
    predicted = fleet.account("--check", status=None, vault_transit_rotate_trim=True)
    first = fleet.account(status=None, vault_transit_rotate_trim=True)
    assert tree.lost() == []
    assert (predicted["hosts"], predicted["blocking"]) == (first["hosts"], first["blocking"])
    assert not first["trimmed"], "some of these cannot be proven"
    unknown = sorted({one["path"] for one in first["unknown"]})
    unread = sorted({one["path"] for one in (*first["unread"], *first["not_searched"])})
    stuck = {one["path"] for one in first["behind"]}
    # What cannot be rewritten keeps the floor until somebody takes it away.
    moved = [one for one in tree.held if str(one.path) in stuck]
    for one in moved:
        one.path.unlink()
        tree.held.remove(one)
    accepted: dict[str, Any] = {
        "vault_transit_rotate_accept_unknown": [path for path in unknown if os.path.lexists(path)],
        "vault_transit_rotate_accept_unread": [path for path in unread if os.path.lexists(path)],
    }
    last = fleet.account(**accepted, vault_transit_rotate_trim=True, vault_transit_rotate_trim_anyway=True)
    assert (last["blocking"], last["trimmed"]) == ([], True)
    by_name = {place.split(":")[1] for place in last["accepted"]}
    assert set(tree.lost()) <= by_name
    assert {str(one.path) for one in tree.held} >= by_name - set(unread)
    assert fleet.file.plaintexts(KEY) == VALUES
