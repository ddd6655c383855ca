# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a plan has, and what it refuses: each rule by itself, then all of them against a model of the server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import (
    ANY_TIME,
    AT_CREATION,
    KEY_ATTRIBUTES,
    MOUNT_ATTRIBUTES,
    NOT_DERIVABLE_TYPES,
    ON_ONLY,
    Attribute,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.plan import (
    KeyPlan,
    MountPlan,
    key_state,
    mount_state,
    plan_key,
    plan_key_absence,
    plan_mount,
    plan_mount_absence,
)
from hypothesis import event, example, given
from hypothesis import strategies as st

State = dict[str, Any]

FRESH: State = {
    "name": "ml",
    "type": "aes256-gcm96",
    "derived": False,
    "exportable": False,
    "allow_plaintext_backup": False,
    "auto_rotate_period": 0,
    "deletion_allowed": False,
    "min_decryption_version": 1,
    "min_encryption_version": 0,
    "min_available_version": 0,
    "latest_version": 1,
}

# For each attribute a value that differs from the one in FRESH.
OTHER: State = {
    "type": "chacha20-poly1305",
    "derived": True,
    "convergent_encryption": True,
    "key_size": 64,
    "exportable": True,
    "allow_plaintext_backup": True,
    "auto_rotate_period": 7776000,
    "deletion_allowed": True,
    "min_decryption_version": 3,
    "min_encryption_version": 4,
}

SHOWN = [attribute for attribute in KEY_ATTRIBUTES if not attribute.server]
NOT_SHOWN = [attribute for attribute in KEY_ATTRIBUTES if attribute.server]


def key(**facts: object) -> State:
    """A key as the server shows it."""
    return {**FRESH, **facts}


def cannot_be_turned_off(name: str) -> str:
    remedy = f"put new secrets under a new key, or accept it with {name}: true"
    return f"{name} is on and cannot be turned off again: {remedy}"


def reasons(error: pytest.ExceptionInfo[ChangeImpossible]) -> list[str]:
    return list(error.value.reasons)


def test_other_values_are_known_for_every_attribute() -> None:
    assert set(OTHER) == {attribute.name for attribute in SHOWN}


# --- keys, one attribute at a time ---


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_a_new_key_goes_where_the_server_takes_it(attribute: Attribute) -> None:
    wanted = {attribute.name: OTHER[attribute.name]}
    if attribute.name == "convergent_encryption":
        wanted["derived"] = True
    if attribute.name.startswith("min_"):
        wanted[attribute.name] = 1
    plan = plan_key("ml", wanted, None)
    assert plan.changed
    assert plan.before is None
    assert plan.create is not None
    assert plan.after is not None
    assert plan.after[attribute.name] == wanted[attribute.name]
    if attribute.at_creation:
        assert plan.create == wanted
        assert plan.configure == {}
    else:
        assert plan.create == {}
        # The one version of a new key is its oldest as well: nothing to configure.
        assert plan.configure == ({} if attribute.name == "min_decryption_version" else wanted)


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_what_an_existing_key_has_already_is_no_change(attribute: Attribute) -> None:
    actual = key(latest_version=5, **{attribute.name: OTHER[attribute.name]})
    plan = plan_key("ml", {attribute.name: OTHER[attribute.name]}, actual)
    assert not plan.changed
    assert plan.before == plan.after


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_an_existing_key_changes_as_its_rule_says(attribute: Attribute) -> None:
    wanted = {attribute.name: OTHER[attribute.name]}
    actual = key(latest_version=5, **({"type": "hmac", "key_size": 32} if attribute.name == "key_size" else {}))
    if attribute.change == AT_CREATION:
        with pytest.raises(ChangeImpossible) as error:
            plan_key("ml", wanted, actual)
        assert len(error.value.reasons) == 1
        assert error.value.reasons[0].startswith(f"{attribute.name} is ")
        assert error.value.reasons[0].endswith("(it is set at creation)")
        return
    if attribute.name == "min_encryption_version":
        actual["min_decryption_version"] = 2
    plan = plan_key("ml", wanted, actual)
    assert plan.create is None
    assert not plan.rotate
    assert plan.configure == wanted
    assert plan.before == key_state(actual)
    assert plan.after == {**key_state(actual), **wanted}


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
@pytest.mark.parametrize("said", [{}, {"value": None}], ids=["absent", "none"])
def test_what_is_not_said_is_not_touched(attribute: Attribute, said: State) -> None:
    actual = key(latest_version=5, **{attribute.name: OTHER[attribute.name]})
    plan = plan_key("ml", {attribute.name: said["value"]} if said else {}, actual)
    assert not plan.changed


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_turning_off(attribute: Attribute) -> None:
    if attribute.kind != "bool":
        return
    wanted = {attribute.name: False}
    actual = key(latest_version=5, **{attribute.name: True})
    if attribute.change == ANY_TIME:
        assert plan_key("ml", wanted, actual).configure == wanted
        return
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", wanted, actual)
    assert reasons(error) == [
        cannot_be_turned_off(attribute.name)
        if attribute.change == ON_ONLY
        else f"{attribute.name} is true and cannot become false (it is set at creation)"
    ]


@pytest.mark.parametrize("attribute", NOT_SHOWN, ids=lambda attribute: str(attribute.name))
def test_what_the_server_does_not_show_is_sent_but_not_foretold(attribute: Attribute) -> None:
    new = plan_key("ml", {attribute.name: "x"}, None)
    assert new.create == {attribute.name: "x"}
    assert new.after == key_state(FRESH)
    existing = plan_key("ml", {attribute.name: "x"}, key())
    assert not existing.changed
    assert existing.before == existing.after


# --- keys, rules between attributes ---


def test_all_reasons_come_at_once() -> None:
    actual = key(type="rsa-4096", exportable=True, allow_plaintext_backup=True, latest_version=2)
    wanted = {
        "type": "aes256-gcm96",
        "derived": True,
        "convergent_encryption": True,
        "exportable": False,
        "allow_plaintext_backup": False,
        "auto_rotate_period": 60,
        "min_decryption_version": 7,
        "min_encryption_version": 6,
    }
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", wanted, actual)
    assert reasons(error) == [
        "type is 'rsa-4096' and cannot become 'aes256-gcm96' (it is set at creation)",
        "derived is false and cannot become true (it is set at creation)",
        "convergent_encryption is false and cannot become true (it is set at creation)",
        cannot_be_turned_off("exportable"),
        cannot_be_turned_off("allow_plaintext_backup"),
        "auto_rotate_period is 60 seconds: it must be 0 (off) or at least one hour",
        "min_decryption_version cannot be 7: the latest version is 2",
        "min_encryption_version cannot be 6: the latest version is 2",
        "min_encryption_version 6 would be below min_decryption_version 7",
    ]
    assert error.value.message.startswith("Key 'ml' cannot be changed as asked: type is")
    assert error.value.message.endswith(". Nothing was changed.")


def test_all_reasons_against_a_new_key_come_at_once() -> None:
    wanted = {
        "type": "rsa-2048",
        "derived": True,
        "auto_rotate_period": 60,
        "min_decryption_version": 2,
        "min_encryption_version": -1,
    }
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", wanted, None)
    assert error.value.message.startswith("Key 'ml' cannot be created as asked: ")
    assert reasons(error) == [
        "a key of type rsa-2048 cannot be derived",
        "auto_rotate_period is 60 seconds: it must be 0 (off) or at least one hour",
        "min_encryption_version cannot be negative",
        "min_decryption_version cannot be 2: the latest version is 1",
    ]


def test_both_minimum_versions_go_into_one_call() -> None:
    actual = key(latest_version=5, min_decryption_version=1, min_encryption_version=1)
    plan = plan_key("ml", {"min_decryption_version": 4, "min_encryption_version": 5}, actual)
    assert plan.configure == {"min_decryption_version": 4, "min_encryption_version": 5}


@pytest.mark.parametrize(
    ("actual", "wanted", "reason"),
    [
        (
            {"min_encryption_version": 2, "latest_version": 5},
            {"min_decryption_version": 3},
            "min_encryption_version 2 would be below min_decryption_version 3",
        ),
        ({"min_encryption_version": 3, "latest_version": 5}, {"min_decryption_version": 3}, None),
        ({"min_encryption_version": 0, "latest_version": 5}, {"min_decryption_version": 3}, None),
        (
            {"min_decryption_version": 3, "latest_version": 5},
            {"min_encryption_version": 2},
            "min_encryption_version 2 would be below min_decryption_version 3",
        ),
        ({"latest_version": 5}, {"min_decryption_version": 5}, None),
        (
            {"latest_version": 5},
            {"min_decryption_version": 6},
            "min_decryption_version cannot be 6: the latest version is 5",
        ),
        (
            {"latest_version": 5},
            {"min_encryption_version": 6},
            "min_encryption_version cannot be 6: the latest version is 5",
        ),
        (
            {
                "latest_version": 5,
                "min_available_version": 3,
                "min_decryption_version": 4,
                "min_encryption_version": 4,
            },
            {"min_decryption_version": 2},
            "min_decryption_version cannot be 2: versions below 3 were trimmed",
        ),
        (
            {
                "latest_version": 5,
                "min_available_version": 3,
                "min_decryption_version": 3,
                "min_encryption_version": 4,
            },
            {"min_encryption_version": 0},
            "min_encryption_version cannot be 0: versions below 3 were trimmed",
        ),
        ({"latest_version": 5, "min_decryption_version": 2}, {"min_decryption_version": 0}, None),
    ],
)
def test_the_minimum_versions_of_an_existing_key(actual: State, wanted: State, reason: str | None) -> None:
    if reason is None:
        plan = plan_key("ml", wanted, key(**actual))
        assert plan.configure == {name: value or 1 for name, value in wanted.items()}
        return
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", wanted, key(**actual))
    assert reasons(error) == [reason]


def test_a_minimum_of_zero_is_the_one_that_the_server_makes_of_it() -> None:
    assert not plan_key("ml", {"min_decryption_version": 0}, key()).changed


def test_a_state_that_the_server_accepted_once_is_not_judged_again() -> None:
    # Both would be refused if they were asked for now.
    odd = key(type="hmac", key_size=32, derived=True, auto_rotate_period=60)
    assert plan_key("ml", {"deletion_allowed": True}, odd).configure == {"deletion_allowed": True}
    assert not plan_key("ml", {"derived": True, "auto_rotate_period": 60}, odd).changed


def test_an_hmac_key_gets_the_documented_size() -> None:
    plan = plan_key("ml", {"type": "hmac"}, None)
    assert plan.create == {"type": "hmac", "key_size": 32}
    assert plan.after is not None
    assert plan.after["key_size"] == 32
    assert plan_key("ml", {"type": "hmac", "key_size": 64}, None).create == {"type": "hmac", "key_size": 64}
    assert not plan_key("ml", {"type": "hmac"}, key(type="hmac", key_size=512)).changed


def test_a_size_is_refused_for_a_key_that_has_none() -> None:
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", {"key_size": 64}, key())
    assert reasons(error) == ["key_size is not set and cannot become 64 (it is set at creation)"]


def test_an_unknown_type_is_left_to_the_server_with_a_warning() -> None:
    plan = plan_key("ml", {"type": "aes265-gcm96"}, None)
    assert plan.create == {"type": "aes265-gcm96"}
    assert " ".join(plan.warnings) == (
        "The key type 'aes265-gcm96' is not one that this collection knows; the server decides. "
        "Did you mean 'aes256-gcm96'?"
    )
    assert plan_key("ml", {"type": "ml-dsa"}, None).warnings == ()


def test_a_soft_deleted_key_is_warned_of() -> None:
    plan = plan_key("ml", {}, key(soft_deleted=True))
    assert not plan.changed
    assert plan.warnings == ("Key 'ml' is soft-deleted: it neither encrypts nor decrypts until it is restored.",)


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
def test_a_key_is_rotated_at_the_age_that_was_asked(older_than: int | None, age: float | None, rotate: bool) -> None:
    plan = plan_key("ml", {}, key(latest_version=3), rotate_older_than=older_than, age=age)
    assert plan.rotate is rotate
    assert plan.changed is rotate
    assert plan.after is not None
    assert plan.after["latest_version"] == (4 if rotate else 3)


def test_a_new_key_is_not_rotated() -> None:
    assert not plan_key("ml", {}, None, rotate_older_than=0).rotate


def test_without_an_age_there_is_no_deciding() -> None:
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", {}, key(type="hmac", key_size=32), rotate_older_than=3600, age=None)
    assert reasons(error) == ["the server does not tell the age of a key of type hmac"]


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
def test_what_is_trimmed_lies_below_both_floors(
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


# --- keys, absence ---


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


# --- keys, against a model of the server ---


class Refused(Exception):
    """The modelled server answers 400."""


class ModelledKey:
    """One key of a server that follows the documented rules."""

    def __init__(self, actual: State | None) -> None:
        self.actual = None if actual is None else dict(actual)

    def create(self, body: State) -> None:
        if self.actual is not None:
            return
        made = {
            **FRESH,
            **{name: value for name, value in body.items() if name not in ("key_size", "convergent_encryption")},
        }
        if made["derived"] and made["type"] in NOT_DERIVABLE_TYPES:
            raise Refused
        if body.get("convergent_encryption") and not made["derived"]:
            raise Refused
        if (made["type"] == "hmac") != ("key_size" in body):
            raise Refused
        self._check_period(made)
        if "key_size" in body:
            made["key_size"] = body["key_size"]
        if made["derived"]:
            made["convergent_encryption"] = body.get("convergent_encryption", False)
        self.actual = made

    def rotate(self) -> None:
        assert self.actual is not None
        self.actual["latest_version"] += 1

    def configure(self, body: State) -> None:
        assert self.actual is not None
        new = dict(self.actual)
        for name, value in body.items():
            if name in ("exportable", "allow_plaintext_backup"):
                new[name] = new[name] or value
            elif name == "min_decryption_version":
                new[name] = value or 1
            else:
                new[name] = value
        decryption, encryption = new["min_decryption_version"], new["min_encryption_version"]
        if decryption < 0 or encryption < 0:
            raise Refused
        if max(decryption, encryption) > new["latest_version"] or 0 < encryption < decryption:
            raise Refused
        if min(decryption, encryption) < new["min_available_version"]:
            raise Refused
        self._check_period(new)
        self.actual = new

    @staticmethod
    def _check_period(state: State) -> None:
        if 0 < state["auto_rotate_period"] < 3600:
            raise Refused


def apply_key(plan: KeyPlan, actual: State | None) -> State | None:
    server = ModelledKey(actual)
    if plan.create is not None:
        server.create(plan.create)
    if plan.rotate:
        server.rotate()
    if plan.configure:
        server.configure(plan.configure)
    return None if plan.delete else server.actual


def reachable(wanted: State, actual: State | None, *, rotate: bool) -> bool:
    """Whether sending the server simply everything gives what is wanted."""
    server = ModelledKey(actual)
    at_creation = {a.name: wanted[a.name] for a in KEY_ATTRIBUTES if a.name in wanted and a.at_creation}
    later = {a.name: wanted[a.name] for a in KEY_ATTRIBUTES if a.name in wanted and a.change != AT_CREATION}
    if wanted.get("type") == "hmac":
        at_creation.setdefault("key_size", 32)
    try:
        server.create(at_creation)
        if rotate:
            server.rotate()
        server.configure(later)
    except Refused:
        return False
    assert server.actual is not None
    state = key_state(server.actual)
    return all(
        state[name] == (value or (1 if name == "min_decryption_version" else value)) for name, value in wanted.items()
    )


TYPES = st.sampled_from(["aes256-gcm96", "chacha20-poly1305", "ed25519", "rsa-2048", "hmac"])
VERSIONS = st.integers(-1, 6)
PERIODS = st.sampled_from([0, 1, 3599, 3600, 86400])

wanted_keys = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES,
        "derived": st.booleans(),
        "convergent_encryption": st.booleans(),
        "exportable": st.booleans(),
        "allow_plaintext_backup": st.booleans(),
        "auto_rotate_period": PERIODS,
        "deletion_allowed": st.booleans(),
        "min_decryption_version": VERSIONS,
        "min_encryption_version": VERSIONS,
    },
)


@st.composite
def existing_keys(draw: st.DrawFn) -> State:
    key_type = draw(TYPES)
    latest = draw(st.integers(1, 6))
    decryption = draw(st.integers(1, latest))
    encryption = draw(st.just(0) | st.integers(decryption, latest))
    actual = key(
        type=key_type,
        exportable=draw(st.booleans()),
        allow_plaintext_backup=draw(st.booleans()),
        deletion_allowed=draw(st.booleans()),
        auto_rotate_period=draw(PERIODS.filter(lambda period: period == 0 or period >= 3600)),
        latest_version=latest,
        min_decryption_version=decryption,
        min_encryption_version=encryption,
        # Trimming needs a minimum for both.
        min_available_version=draw(st.integers(0, decryption)) if encryption else 0,
    )
    if key_type == "hmac":
        actual["key_size"] = 32
    elif key_type not in NOT_DERIVABLE_TYPES and draw(st.booleans()):
        actual.update(derived=True, convergent_encryption=draw(st.booleans()))
    return actual


@given(wanted_keys, st.none() | existing_keys(), st.sampled_from([None, 0, 3600]), st.floats(0, 7200))
@example({"min_decryption_version": 0}, None, None, 0.0)
@example({"min_decryption_version": 3, "min_encryption_version": 3}, key(latest_version=3), None, 0.0)
@example({"exportable": False}, key(exportable=True), None, 0.0)
def test_a_plan_reaches_what_can_be_reached_and_refuses_the_rest(
    wanted: State, actual: State | None, older_than: int | None, age: float
) -> None:
    rotate = actual is not None and older_than is not None and age >= older_than
    possible = reachable(wanted, actual, rotate=rotate)
    event(f"possible: {possible}")
    try:
        plan = plan_key("ml", wanted, actual, rotate_older_than=older_than, age=age)
    except ChangeImpossible:
        assert not possible
        return
    assert possible
    result = apply_key(plan, actual)
    assert result is not None
    assert key_state(result) == plan.after
    assert plan.before == (None if actual is None else key_state(actual))
    again = plan_key("ml", wanted, result)
    assert not again.changed
    assert again.before == again.after == plan.after


@given(existing_keys(), st.booleans())
def test_absence_is_reached_or_refused(actual: State, force: bool) -> None:
    try:
        plan = plan_key_absence("ml", actual, force=force)
    except ChangeImpossible:
        assert not force
        assert not actual["deletion_allowed"]
        return
    server = ModelledKey(actual)
    server.configure(plan.configure)
    assert server.actual is not None
    assert server.actual["deletion_allowed"], "the server would not delete it"
    assert plan.after is apply_key(plan, actual) is None


# Mounts

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
