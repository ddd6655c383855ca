# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a plan has for an engine, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import AT_CREATION, Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend_plan import (
    MountPlan,
    mount_state,
    plan_mount,
    plan_mount_absence,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transit.states import State, reasons

MOUNTED: State = {
    "type": "transit",
    "description": "",
    "options": None,
    "local": False,
    "seal_wrap": False,
    "external_entropy_access": False,
    "plugin_version": "",
    "config": {"default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": False},
}

OTHER_MOUNT: State = {
    "description": "Encrypts",
    "default_lease_ttl": 3600,
    "max_lease_ttl": 7200,
    "listing_visibility": "unauth",
    "audit_non_hmac_request_keys": ["context"],
    "audit_non_hmac_response_keys": ["ciphertext", "key_version"],
    "passthrough_request_headers": ["X-One"],
    "allowed_response_headers": ["X-Two"],
    "plugin_version": "v2.0.0",
    "options": {"a": "b"},
    "local": True,
    "seal_wrap": True,
    "external_entropy_access": True,
    "force_no_cache": True,
}

TOP_LEVEL = {"description", "options", "plugin_version", "local", "seal_wrap", "external_entropy_access"}


def mounted(**facts: object) -> State:
    """A mount as ``sys/mounts/PATH`` shows it."""
    config = {**MOUNTED["config"], **{name: value for name, value in facts.items() if name not in TOP_LEVEL}}
    return {**MOUNTED, **{name: value for name, value in facts.items() if name in TOP_LEVEL}, "config": config}


def mount_plan(wanted: State, actual: State | None, **settings: Any) -> MountPlan:
    return plan_mount("transit", wanted, actual, **{"upsert_disabled": None, "cache_size": None, **settings})


def test_other_values_are_known_for_every_attribute_of_a_mount() -> None:
    assert set(OTHER_MOUNT) == {attribute.name for attribute in MOUNT_ATTRIBUTES}


@pytest.mark.parametrize("attribute", MOUNT_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_a_new_mount_goes_where_the_server_reads_it(attribute: Attribute) -> None:
    wanted = {attribute.name: OTHER_MOUNT[attribute.name]}
    plan = mount_plan(wanted, None)
    assert plan.enable == (wanted if attribute.name in TOP_LEVEL else {"config": wanted})
    assert plan.tune == {}
    assert plan.before is None
    assert plan.after == {**mount_state(MOUNTED), **wanted}


@pytest.mark.parametrize("attribute", MOUNT_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_an_existing_mount_is_tuned_or_refused(attribute: Attribute) -> None:
    wanted = {attribute.name: OTHER_MOUNT[attribute.name]}
    if attribute.change == AT_CREATION:
        with pytest.raises(ChangeImpossible) as error:
            mount_plan(wanted, mounted())
        assert len(error.value.reasons) == 1
        assert error.value.reasons[0].startswith(f"{attribute.name} is ")
        assert error.value.reasons[0].endswith("(it is set at creation)")
        return
    plan = mount_plan(wanted, mounted())
    assert plan.tune == wanted
    assert plan.enable is None
    assert plan.after == {**mount_state(MOUNTED), **wanted}


@pytest.mark.parametrize("attribute", MOUNT_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_a_mount_that_has_it_already_is_not_tuned(attribute: Attribute) -> None:
    actual = mounted(**{attribute.name: OTHER_MOUNT[attribute.name]})
    for wanted in ({attribute.name: OTHER_MOUNT[attribute.name]}, {attribute.name: None}, {}):
        plan = mount_plan(wanted, actual)
        assert not plan.changed
        assert plan.before == plan.after == {**mount_state(MOUNTED), attribute.name: OTHER_MOUNT[attribute.name]}


@pytest.mark.parametrize("attribute", MOUNT_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_a_mount_is_set_back_to_its_default(attribute: Attribute) -> None:
    if attribute.change == AT_CREATION:
        return
    plain = mount_state(MOUNTED)[attribute.name]
    assert mount_plan({attribute.name: plain}, mounted(**{attribute.name: OTHER_MOUNT[attribute.name]})).tune == {
        attribute.name: plain
    }
    assert not mount_plan({attribute.name: plain}, mounted()).changed


def test_all_reasons_against_a_mount_come_at_once() -> None:
    wanted = {"local": True, "options": {"a": "b"}, "force_no_cache": True, "description": "new"}
    with pytest.raises(ChangeImpossible) as error:
        mount_plan(wanted, mounted())
    assert reasons(error) == [
        "options is {} and cannot become {'a': 'b'} (it is set at creation)",
        "local is false and cannot become true (it is set at creation)",
        "force_no_cache is false and cannot become true (it is set at creation)",
    ]


def test_an_engine_of_another_type_is_not_touched() -> None:
    with pytest.raises(ChangeImpossible, match="an engine of type 'kv' is mounted there"):
        mount_plan({}, {**MOUNTED, "type": "kv"})
    with pytest.raises(ChangeImpossible, match="it is of type 'kv', not transit"):
        plan_mount_absence("transit", {**MOUNTED, "type": "kv"}, [], force=True)


@pytest.mark.parametrize(
    ("wanted", "actual", "settings", "disable_upsert", "cache_size"),
    [
        ({"disable_upsert": True}, None, {}, True, None),
        ({"disable_upsert": False}, None, {}, None, None),
        ({}, None, {}, None, None),
        ({"cache_size": 0}, None, {}, None, None),
        ({"cache_size": 100}, None, {}, None, 100),
        ({"disable_upsert": True}, mounted(), {"upsert_disabled": False}, True, None),
        ({"disable_upsert": True}, mounted(), {"upsert_disabled": True}, None, None),
        ({"disable_upsert": False}, mounted(), {"upsert_disabled": True}, False, None),
        ({"cache_size": 0}, mounted(), {"cache_size": 100}, None, 0),
        ({"cache_size": 100}, mounted(), {"cache_size": 100}, None, None),
        ({}, mounted(), {}, None, None),
    ],
)
def test_the_engines_own_settings(
    wanted: State, actual: State | None, settings: State, disable_upsert: bool | None, cache_size: int | None
) -> None:
    plan = mount_plan(wanted, actual, **settings)
    assert plan.disable_upsert is disable_upsert
    assert plan.cache_size == cache_size
    assert plan.changed is (actual is None or disable_upsert is not None or cache_size is not None)
    assert plan.after is not None
    assert {name: plan.after.get(name) for name in wanted} == wanted
    if actual is not None:
        assert plan.before is not None
        assert (plan.before == plan.after) is not plan.changed


@pytest.mark.parametrize("name", ["audit_non_hmac_request_keys", "audit_non_hmac_response_keys"])
def test_plaintext_in_the_audit_log_is_warned_of(name: str) -> None:
    assert mount_plan({name: ["context", "plaintext"]}, None).warnings == (
        f"{name} with 'plaintext' writes every secret readable into the audit log.",
    )
    assert mount_plan({name: ["context"]}, None).warnings == ()


@pytest.mark.parametrize(
    ("actual", "keys", "force", "disable"),
    [
        (None, [], False, False),
        (None, [], True, False),
        (mounted(), [], False, True),
        (mounted(), ["a"], True, True),
    ],
)
def test_the_steps_to_a_mounts_absence(actual: State | None, keys: list[str], force: bool, disable: bool) -> None:
    plan = plan_mount_absence("transit", actual, keys, force=force)
    assert plan == MountPlan(before=None if actual is None else mount_state(actual), after=None, disable=disable)
    assert plan.changed is disable


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (["a"], "(a)"),
        (["a", "b"], "(a, b)"),
        (["a", "b", "c", "d", "e"], "(a, b, c, d, e)"),
        (["a", "b", "c", "d", "e", "f", "g"], "(a, b, c, d, e and 2 more)"),
    ],
)
def test_an_engine_with_keys_is_not_disabled_without_force(keys: list[str], named: str) -> None:
    with pytest.raises(ChangeImpossible) as error:
        plan_mount_absence("transit", mounted(), keys, force=False)
    assert named in error.value.message
    assert "disabling it destroys them for good; delete them first, or give force: true" in error.value.message


mount_values = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "a", "b"]),
        "default_lease_ttl": st.sampled_from([0, 60, 3600]),
        "max_lease_ttl": st.sampled_from([0, 60, 3600]),
        "listing_visibility": st.sampled_from(["", "hidden", "unauth"]),
        "audit_non_hmac_request_keys": st.lists(st.sampled_from("abc")),
        "allowed_response_headers": st.lists(st.sampled_from("abc")),
        "options": st.dictionaries(st.sampled_from("ab"), st.sampled_from("cd")),
        "local": st.booleans(),
        "force_no_cache": st.booleans(),
    },
)


@given(mount_values, st.none() | mount_values)
def test_a_mounts_plan_reaches_what_can_be_reached(wanted: State, facts: State | None) -> None:
    actual = None if facts is None else mounted(**facts)
    fixed = [a.name for a in MOUNT_ATTRIBUTES if a.change == AT_CREATION]
    state = mount_state(actual or MOUNTED)
    possible = actual is None or all(wanted[name] == state[name] for name in fixed if name in wanted)
    try:
        plan = mount_plan(wanted, actual)
    except ChangeImpossible:
        assert not possible
        return
    assert possible
    if plan.enable is not None:
        result = mounted(**{n: v for n, v in plan.enable.items() if n != "config"}, **plan.enable.get("config", {}))
    else:
        assert actual is not None
        top = {name: value for name, value in plan.tune.items() if name in TOP_LEVEL}
        below = {name: value for name, value in plan.tune.items() if name not in TOP_LEVEL}
        result = {**actual, **top, "config": {**actual["config"], **below}}
    assert mount_state(result) == plan.after
    again = mount_plan(wanted, result)
    assert not again.changed
    assert again.before == again.after
