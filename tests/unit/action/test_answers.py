# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules on hosts report: a host that reports something else gets an error, and no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.answers import (
    UnexpectedReport,
    after_in,
    counts_in,
    digests_in,
    found_in,
    moved_in,
    number_in,
    places_in,
    texts_in,
)

FOUND = {"path": "/x", "line": 3, "name": "a", "form": "plain", "text": "vault:v1:QUJDREVGR0hJSktM"}
ROW = [FOUND["text"], FOUND["line"], FOUND["name"], FOUND["form"]]
NO_ROWS: list[Any] = [[*([*ROW, "", 7][:n]), [], *([*ROW, "", 7][n + 1 :])] for n in range(6)] + [
    ROW,
    [*ROW, "", 7, 7],
    {},
    3,
]
AFTER = {"path": "/x", "bookmark": None, "state": [1, 2, 3]}
PLACE = {"path": "/x", "reason": "it is locked", "kind": "denied"}
DEEP = "[" * 100_000
NOT_FOUND: list[Any] = [None, [], 3, "", "{", "{}", "[3]", "[{}]", DEEP, "1" * 5000]


def test_what_modules_report_is_taken() -> None:
    rows = [[*ROW, "", 7], [*ROW, "packed", -1]]
    assert found_in("m", {"ciphertexts": json.dumps([["/x", rows], ["/y", []]])}) == [
        {**FOUND, "offset": 7},
        {**FOUND, "problem": "packed"},
    ]
    assert after_in("m", {}) is None
    assert after_in("m", {"after": json.dumps(AFTER)}) == AFTER
    assert moved_in("m", {"moved": json.dumps({"/x": {**AFTER, "bookmark": {"offset": 1}}})})["/x"]["path"] == "/x"
    assert places_in("m", {"unread": [PLACE]}, "unread") == [PLACE]
    assert counts_in("m", {"replaced": {"/x": 1}}, "replaced") == {"/x": 1}
    assert texts_in("m", {"problems": {"/x": "locked"}}, "problems") == {"/x": "locked"}
    assert digests_in("m", {"digests": json.dumps({"/x": "ab"})}) == {"/x": "ab"}
    assert number_in("m", {"seen": 1}, "seen") == 1


@pytest.mark.parametrize(
    ("read", "result"),
    [
        *((found_in, {"ciphertexts": text}) for text in NOT_FOUND),
        *((found_in, {"ciphertexts": json.dumps([["/x", [row]]])}) for row in NO_ROWS),
        (found_in, {"ciphertexts": json.dumps([[3, [[*ROW, "", 7]]]])}),
        *((after_in, {"after": text}) for text in (None, "[]", "{", "{}", DEEP, '{"path": "/x", "bookmark": 3}')),
        *((moved_in, {"moved": text}) for text in (None, "[]", '{"/x": 3}', json.dumps({"/y": AFTER}))),
        *((digests_in, {"digests": text}) for text in (None, "[]", "{", DEEP, '{"/x": 3}')),
        (moved_in, {}),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value)[:60],
)
def test_what_no_module_reports_is_refused(
    read: Callable[[str, Mapping[str, Any]], object], result: dict[str, Any]
) -> None:
    with pytest.raises(UnexpectedReport, match=r"^vault_transit_rewrap on this host returned unexpected data in '\w+'"):
        read("vault_transit_rewrap", result)


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (places_in, [None, {}, [3], [{**PLACE, "kind": None}]]),
        (counts_in, [None, [], {"/x": "many"}]),
        (texts_in, [None, [], {"/x": 3}]),
        (number_in, [None, "1", {}]),
    ],
    ids=["places", "counts", "texts", "number"],
)
def test_fields_of_other_types_are_refused(read: Callable[..., object], values: list[Any]) -> None:
    for value in values:
        with pytest.raises(UnexpectedReport, match="in 'it'"):
            read("m", {"it": value}, "it")
