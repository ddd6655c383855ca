# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys as they are: what is left out, and how old versions are."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import (
    RunContext,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_info import (
    key_info,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import (
    latest_age,
)

from tests.unit.stand_in import Script, refusal
from tests.unit.transit.states import FRESH

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("versions", "age"),
    [
        ({"1": int(NOW) - 60}, 60.0),
        ({"1": {"creation_time": "2027-01-15T07:59:00.508052072Z"}}, 60.0),
        ({"1": {"creation_time": "2027-01-15T08:59:00.5+01:00"}}, 60.0),
        ({"1": int(NOW) + 60}, 0.0),
        ({"2": int(NOW) - 60}, None),
        ({"1": {"creation_time": "yesterday"}}, None),
        ({"1": {}}, None),
        ({"1": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_age_of_the_latest_version(versions: object, age: float | None) -> None:
    assert latest_age({"latest_version": 1, "keys": versions}, NOW) == age


def test_a_key_that_vanishes_while_all_are_read_is_left_out() -> None:
    script = Script(
        ("LIST transit/keys", {"keys": ["gone", "ml"]}),
        ("GET transit/keys/gone", refusal("GET", "transit/keys/gone", 404)),
        ("GET transit/keys/ml", {**FRESH, "keys": {"1": int(NOW) - 7200}}),
    )
    outcome = key_info(script, {"backend": "transit", "name": None}, RunContext(dry_run=False, now=NOW))
    assert [found["name"] for found in outcome.result["transit_keys"]] == ["ml"]
    assert not outcome.changed
    assert outcome.result["transit_keys"][0]["versions"][0]["age_seconds"] == 7200
