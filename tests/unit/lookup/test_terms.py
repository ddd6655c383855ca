# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of the lookup: which items they become, which are refused, and that no message repeats one."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.request import lookup_request
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.terms import (
    TermDefaults,
    asked_from,
    decode_base64,
    refuse_problems,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from hypothesis import given
from hypothesis import strategies as st

from tests.support.chains import printed_with

SECRET = "sk-never-to-be-shown"
OPTIONS: dict[str, Any] = {
    "operation": "encrypt",
    "backend": "transit",
    "key": "ml",
    "context": None,
    "associated_data": None,
    "key_version": 0,
    "encoding": "utf-8",
    "kv_path": None,
    "kv_mount": "secret",
}


def items(terms: Sequence[Any], **options: object) -> list[Item]:
    asked = asked_from(terms, lookup_request({**OPTIONS, **options}).defaults)
    refuse_problems(asked)
    return [one.ask for one in asked]


def refusal(terms: Sequence[Any], **options: object) -> str:
    with pytest.raises(InvalidOption) as refused:
        items(terms, **options)
    assert printed_with(refused.value) == []
    return refused.value.message


ALL = {"context": "c", "associated_data": "a", "key_version": 2}


@pytest.mark.parametrize(
    ("term", "options", "item"),
    [
        ("x", {}, Item(b"x")),
        (" x\n", {}, Item(b" x\n")),
        ("", {}, Item(b"")),
        ("\u00e9", {}, Item(b"\xc3\xa9")),
        ("x", ALL, Item(b"x", context=b"c", associated_data=b"a", key_version=2)),
        ("x", {"key_version": "3"}, Item(b"x", key_version=3)),
        # To the server, an empty one is none.
        ("x", {"context": ""}, Item(b"x")),
        ({"value": "x", "context": ""}, {"context": "c"}, Item(b"x")),
        ({"value": "x", "context": "", "key_version": 0}, {"operation": "hmac"}, Item(b"x")),
        ("eHg=", {"encoding": "base64"}, Item(b"xx")),
        ("eHg=", {"encoding": "base64", "operation": "hmac"}, Item(b"xx")),
        (" vault:v1:QQ==\n", {"operation": "decrypt"}, Item(b"vault:v1:QQ==")),
        (" vault:v1:QQ==\n", {"operation": "rewrap"}, Item(b"vault:v1:QQ==")),
        ("vault:v1:QQ==", {"operation": "decrypt", "encoding": "base64"}, Item(b"vault:v1:QQ==")),
        ({"value": "x"}, {}, Item(b"x")),
        ({"value": "x", "name": "n"}, {}, Item(b"x", "n")),
        ({"value": "x"}, ALL, Item(b"x", context=b"c", associated_data=b"a", key_version=2)),
        (
            {"value": "x", "context": "d", "associated_data": "b", "key_version": 1},
            ALL,
            Item(b"x", context=b"d", associated_data=b"b", key_version=1),
        ),
        ({"value": "x", "context": None, "associated_data": None, "key_version": None}, ALL, Item(b"x")),
        ({"value": "x", "name": None, "context": "5"}, {}, Item(b"x", context=b"5")),
        ("vault:v1:QQ==", {"allow_ciphertext": True}, Item(b"vault:v1:QQ==")),
        ("vault:v1:QQ==", {"operation": "hmac"}, Item(b"vault:v1:QQ==")),
        ("see vault:v1:QQ==", {}, Item(b"see vault:v1:QQ==")),
    ],
)
def test_a_term_becomes_an_item(term: object, options: Mapping[str, object], item: Item) -> None:
    assert items([term], **options) == [item]


def test_lists_of_terms_are_flattened_in_order() -> None:
    expected = [Item(b"a"), Item(b"b"), Item(b"c"), Item(b"d")]
    assert items(["a", ["b", {"value": "c"}], ("d",), []]) == expected
    assert items([[["a", "b"], ["c", ["d", []]]]]) == expected


@pytest.mark.parametrize(
    ("term", "options", "message"),
    [
        (5, {}, "item 1: its value must be text."),
        (None, {}, "item 1: its value must be text."),
        (True, {}, "item 1: its value must be text."),
        (SECRET.encode(), {}, "item 1: its value must be text."),
        ("\udc80" + SECRET, {}, "item 1: its value must be text."),
        ({}, {}, "item 1: its value must be text."),
        (
            " vault:v1:QQ==\n",
            {},
            "item 1: its value is a ciphertext (vault:vN:...). To encrypt it nevertheless, set allow_ciphertext=true.",
        ),
        (
            f"Bearer vault:v1:{'QUJD' * 12}",
            {},
            (
                "item 1: its value contains a ciphertext (vault:vN:...). "
                "To encrypt it nevertheless, set allow_ciphertext=true."
            ),
        ),
        ({"name": "n", "value": None}, {}, "item 1 (n): its value must be text."),
        ({"name": "n", "value": [SECRET]}, {}, "item 1 (n): its value must be text."),
        (
            {"name": "n", "value": SECRET, "contxt": "c"},
            {},
            "item 1 (n): 'contxt' is not known in a term, only value, name, context, associated_data, key_version are.",
        ),
        (
            {"value": SECRET, "key_version": SECRET},
            {},
            "item 1: its key_version must be a number, 0 for the latest.",
        ),
        ({"value": SECRET, "key_version": [2]}, {}, "item 1: its key_version must be a number, 0 for the latest."),
        ({"value": SECRET, "key_version": 1.5}, {}, "item 1: its key_version must be a number, 0 for the latest."),
        (SECRET, {"key_version": -1}, "item 1: its key_version must be a number, 0 for the latest."),
        (SECRET, {"encoding": "base64"}, "item 1: not valid base64."),
        ({"value": SECRET, "name": "n"}, {"encoding": "base64"}, "item 1 (n): not valid base64."),
        (
            {"value": SECRET, "key_version": 10**18},
            {},
            "item 1: its key_version does not exist (yet): 0 is the latest.",
        ),
        ({"value": SECRET, "context": [SECRET]}, {}, "item 1: its context must be text."),
        ({"value": SECRET, "context": 5}, {}, "item 1: its context must be text."),
        ({"value": SECRET, "associated_data": 1.5}, {}, "item 1: its associated_data must be text."),
        (
            {"value": SECRET, "hmac": " vault:v0:QQ=="},
            {"operation": "verify_hmac"},
            "item 1: its hmac is of version 0, and the versions of a key begin with 1.",
        ),
        (
            {"value": SECRET, "signature": "vault:v00:QQ=="},
            {"operation": "verify"},
            "item 1: its signature is of version 0, and the versions of a key begin with 1.",
        ),
        ({"value": SECRET, "associated_data": {SECRET: 1}}, {}, "item 1: its associated_data must be text."),
        ({"value": SECRET, "context": "\udc80" + SECRET}, {}, "item 1: its context must be text."),
        (
            {"value": SECRET, "context": SECRET},
            {"operation": "hmac"},
            "item 1: context has no effect with this operation: leave it out.",
        ),
        (
            {"value": SECRET, "associated_data": "a"},
            {"operation": "rewrap"},
            "item 1: the server cannot rewrap what is bound to associated data: decrypt and encrypt it.",
        ),
        (
            SECRET,
            {"operation": "rewrap", "associated_data": "a"},
            "item 1: the server cannot rewrap what is bound to associated data: decrypt and encrypt it.",
        ),
    ],
)
def test_a_term_that_cannot_be_right_is_named_and_not_shown(
    term: object, options: Mapping[str, object], message: str
) -> None:
    said = refusal([term], **options)
    assert said == message
    assert SECRET not in said


def test_all_bad_terms_are_named_at_once() -> None:
    said = refusal(["good", 1, {"name": "b", "value": 2}, "good"])
    assert said == "item 2: its value must be text; item 3 (b): its value must be text."
    assert refusal([1] * 12).endswith("; item 10: its value must be text; and 2 more.")


@given(st.binary(max_size=64))
def test_binary_goes_in_as_base64(content: bytes) -> None:
    assert items([base64.b64encode(content).decode()], encoding="base64") == [Item(content)]


@given(st.text(min_size=6).map(lambda text: "Zq9" + text), st.sampled_from(["base64", "utf-8"]))
def test_no_refusal_repeats_a_value(secret: str, encoding: str) -> None:
    term = {"value": secret, "key_version": secret}
    said = refusal([term, {"value": [secret]}, {"value": {secret: secret}}], encoding=encoding)
    assert "Zq9" not in said


def test_base64_is_strict_and_a_refusal_repeats_nothing() -> None:
    assert decode_base64("eHg=") == b"xx"
    for text in ("eHg", "eH g=", "e\u00e9Hg", SECRET):
        with pytest.raises(ValueError, match=r"^not valid base64$") as refused:
            decode_base64(text)
        assert printed_with(refused.value) == []


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("contxt", "'contxt' is"),
        ("hmac", "'hmac' is"),
        ("sk-planted-value", "one of its fields is"),
        ("correcthorse", "one of its fields is"),
        ("value\x1b[31m", "one of its fields is"),
    ],
)
def test_a_value_in_the_place_of_a_name_is_not_shown(name: str, named: str) -> None:
    [asked] = asked_from([{"value": "x", name: 1}], TermDefaults(plaintext=True))
    assert asked.problem.startswith(f"{named} not known in a term, only value, ")
