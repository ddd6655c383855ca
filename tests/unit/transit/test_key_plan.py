# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps a plan has for a key's attributes, and what it refuses: one rule at a time."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import (
    ANY_TIME,
    AT_CREATION,
    ON_ONLY,
    Attribute,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import (
    key_state,
    plan_key,
)

from tests.unit.transit.states import FRESH, State, key, reasons

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


def cannot_be_turned_off(name: str) -> str:
    remedy = f"put new secrets under a new key, or accept it with {name}: true"
    return f"{name} is on and cannot be turned off again: {remedy}"


def test_other_values_are_known_for_every_attribute() -> None:
    assert set(OTHER) == {attribute.name for attribute in SHOWN}


# --- keys, one attribute at a time ---


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_a_new_key_goes_where_the_server_reads_it(attribute: Attribute) -> None:
    wanted = {attribute.name: OTHER[attribute.name]}
    if attribute.name == "convergent_encryption":
        wanted["derived"] = True
    if attribute.name == "key_size":
        wanted["type"] = "hmac"
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
def test_an_attribute_that_a_key_already_has_is_not_a_change(attribute: Attribute) -> None:
    actual = key(latest_version=5, **{attribute.name: OTHER[attribute.name]})
    plan = plan_key("ml", {attribute.name: OTHER[attribute.name]}, actual)
    assert not plan.changed
    assert plan.before == plan.after


@pytest.mark.parametrize("attribute", SHOWN, ids=lambda attribute: str(attribute.name))
def test_an_attribute_of_an_existing_key_changes_by_its_rule(attribute: Attribute) -> None:
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
@pytest.mark.parametrize("unset", [{}, {"value": None}], ids=["absent", "none"])
def test_unset_options_are_left_unchanged(attribute: Attribute, unset: State) -> None:
    actual = key(latest_version=5, **{attribute.name: OTHER[attribute.name]})
    plan = plan_key("ml", {attribute.name: unset["value"]} if unset else {}, actual)
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


OF_TYPE = {"external": "external-key", "managed": "managed_key", "parameter_set": "ml-dsa", "hybrid": "hybrid"}


@pytest.mark.parametrize("attribute", NOT_SHOWN, ids=lambda attribute: str(attribute.name))
def test_an_attribute_that_the_server_does_not_show_is_sent_but_not_predicted(attribute: Attribute) -> None:
    kind = next(kind for name, kind in OF_TYPE.items() if attribute.name.startswith(name))
    new = plan_key("ml", {"type": kind, attribute.name: "x"}, None)
    assert new.create == {"type": kind, attribute.name: "x"}
    assert new.after == {**key_state(FRESH), "type": kind}
    # The server alone knows what a newer type has.
    assert plan_key("ml", {"type": "newer", attribute.name: "x"}, None).create is not None
    for other in ({}, {"type": "ed25519"}):
        with pytest.raises(ChangeImpossible) as error:
            plan_key("ml", {attribute.name: "x", **other}, None)
        assert [reason.startswith(f"{attribute.name} is for keys of type ") for reason in reasons(error)] == [True]
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", {attribute.name: "x"}, key())
    assert [reason.startswith(f"{attribute.name} is for keys of type ") for reason in reasons(error)] == [True]
    existing = plan_key("ml", {attribute.name: "x"}, key(type=kind))
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


def test_a_minimum_of_zero_means_one() -> None:
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
    assert reasons(error) == ["key_size is for keys of type hmac, not aes256-gcm96"]
    with pytest.raises(ChangeImpossible) as error:
        plan_key("ml", {"key_size": 64}, key(type="hmac", key_size=32))
    assert reasons(error) == ["key_size is 32 and cannot become 64 (it is set at creation)"]


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
