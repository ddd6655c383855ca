# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server answers, the result is an error with a sentence, never one of Python's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._access.approle import reconcile_approle
from ansible_collections.mlkeys.transit.plugins.module_utils._access.policy import reconcile_policy
from ansible_collections.mlkeys.transit.plugins.module_utils._access.secret_id import reconcile_secret_id
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import auth, messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import transport as transport_module
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import Response
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Reply, _reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerError,
    TransitError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import reasons_in
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.transport import Request, Transport
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import reconcile_backend
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import reconcile_key
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_info import key_info
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.stand_in import StandIn

NOW = RunContext(dry_run=False, now=1_700_000_000.0)

# Names of fields that something reads, so that more than their absence is tried.
NAMES = (
    *(
        "keys",
        "1",
        "name",
        "type",
        "latest_version",
        "min_decryption_version",
        "derived",
        "auto_rotate_period",
        "config",
    ),
    *(
        "path",
        "options",
        "size",
        "disable_upsert",
        "backup",
        "batch_results",
        "ciphertext",
        "plaintext",
        "hmac",
        "error",
    ),
    *("valid", "policy", "role_id", "token_policies", "token_ttl", "secret_id_bound_cidrs", "expiration_time"),
    *("data", "metadata", "version", "token", "ttl", "wrapped_accessor", "creation_path", "creation_time"),
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(["", "x", "1"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
ANSWERS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8) | st.fixed_dictionaries(
    {"latest_version": st.just(1), "name": st.just("k"), "type": st.just("aes256-gcm96")},
    optional={name: VALUES for name in NAMES if name not in ("latest_version", "name", "type")},
)


class Odd(StandIn):
    """Answers everything with the same content."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__()
        self.content = content

    def answer(self, _request: str, _body: object) -> Mapping[str, Any]:
        return self.content

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        wrap_ttl: int = 0,
        login: bool = False,
    ) -> Reply:
        del method, body, query, repeatable, wrap_ttl, login
        return _reply({"data": self.content, "auth": self.content, "wrap_info": self.content}, path)


ITEMS = [Item(b"vault:v1:AAAA", "one")]
KEY = {"backend": "transit", "name": "k", "state": "present", "derived": True, "min_decryption_version": 1}
ROLE = {
    "path": "approle",
    "name": "r",
    "state": "present",
    "enable": True,
    "description": "d",
    "token_ttl": 5,
    "token_policies": ["p"],
}
GRANT = {"key": "k", "allow": ["decrypt"], "secrets": ["a"]}
WORK: dict[str, Callable[[Odd], object]] = {
    "key": lambda client: reconcile_key(client, {**KEY, "rotate_older_than": "1d"}, NOW),
    "key info": lambda client: key_info(client, {"backend": "transit", "name": "k"}, NOW),
    "all keys": lambda client: key_info(client, {"backend": "transit"}, NOW),
    "backend": lambda client: reconcile_backend(
        client,
        {"path": "transit", "state": "present", "cache_size": 3, "disable_upsert": True, "max_lease_ttl": "1d"},
        NOW,
    ),
    "policy": lambda client: reconcile_policy(
        client, {"name": "p", "state": "present", "backend": "transit", "grants": [GRANT]}, NOW
    ),
    "approle": lambda client: reconcile_approle(client, ROLE, NOW),
    "secret id": lambda client: reconcile_secret_id(
        client, {"path": "approle", "role": "r", "accessor": "a", "state": "present", "renew_before": "1d"}, NOW
    ),
    "rights": lambda client: AppRoles(client, "approle").denied("r"),
    "encrypt": lambda client: Transit(client, "transit").encrypt("k", ITEMS),
    "decrypt": lambda client: Transit(client, "transit").decrypt("k", ITEMS),
    "decrypt each": lambda client: Transit(client, "transit").decrypt_each("k", ITEMS),
    "rewrap each": lambda client: Transit(client, "transit").rewrap_each("k", ITEMS),
    "verify": lambda client: Transit(client, "transit").verify("k", ITEMS),
    "hmac": lambda client: Transit(client, "transit").hmac("k", ITEMS),
    "backup": lambda client: Transit(client, "transit").backup_key("k"),
    "document": lambda client: Documents(client, "secret").read("x"),
    "versions": lambda client: Documents(client, "secret").earlier_versions("x"),
    "login": lambda client: auth.renew(client, 0.0),
}


@pytest.mark.parametrize("name", WORK)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=ANSWERS)
def test_any_answer_gives_a_result_or_a_sentence(name: str, content: dict[str, Any]) -> None:
    with contextlib.suppress(TransitError):
        WORK[name](Odd(content))


@pytest.mark.parametrize("results", [None, {}, [], [1], [{}, {}], [{"ciphertext": 1}], "text"])
def test_results_that_are_not_results_name_the_path_and_the_field(results: object) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"answer to 'transit/encrypt/k' .* is missing or malformed"):
        Transit(Odd({"batch_results": results}), "transit").encrypt("k", ITEMS)


@settings(max_examples=100, deadline=None)
@given(
    content=st.dictionaries(st.sampled_from(["data", "errors", "auth", "wrap_info", "warnings"]), VALUES, max_size=5),
    status=st.sampled_from([200, 204, 400, 403, 404, 500]),
)
def test_any_body_gives_a_reply_or_an_error(content: dict[str, Any], status: int) -> None:
    transport = Transport(Connection("http://127.0.0.1:1"), "")
    body = json.dumps(content).encode()
    response = Response(status, {}, body)
    found, failure = transport._read(Request("POST", "transit/encrypt/k", {"batch_input": []}), response)
    if failure is None:
        with contextlib.suppress(UnexpectedAnswer):
            _reply(found, "transit/encrypt/k")


@pytest.mark.parametrize(
    ("errors", "reasons"),
    [
        (["one", "two"], ["one", "two"]),
        ("one", ["one"]),
        ({"message": "one", "code": 7}, ["one", "7"]),
        ([{"message": "one"}, ["two"], None], ["one", "two"]),
        (None, []),
        ({}, []),
        ([[["too deep"]]], []),
    ],
)
def test_what_a_gateway_says_in_place_of_a_list_is_a_reason(errors: object, reasons: list[str]) -> None:
    assert reasons_in(errors) == reasons


@pytest.mark.parametrize("errors", [["x" * 9000], ["x" * 1_000_000], ["x" * 400] * 1_000_000, "x" * 9000], ids=len)
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_what_a_server_says_is_short_in_a_message(errors: object, status: int) -> None:
    transport = Transport(Connection("http://127.0.0.1:1"), "")
    content = {"errors": errors, "data": {"batch_results": [{"error": errors}]}}
    failure = transport._refusal(Request("GET", "transit/keys/k"), Response(status, {}, b""), content)
    assert isinstance(failure.error, ServerError)
    shown = [failure.error.message, *failure.error.reasons, *failure.error.item_errors]
    assert max(map(len, shown)) < 1600


def test_errors_of_single_items_and_warnings_are_short() -> None:
    content = {"data": {"batch_results": [{"error": "x" * 9000}, {"ciphertext": "a"}]}, "warnings": ["x" * 9000]}
    transport = Transport(Connection("http://127.0.0.1:1"), "")
    found, _failure = transport._read(Request("POST", "a", {}), Response(200, {}, json.dumps(content).encode()))
    reply = _reply(found, "a")
    assert [len(result.get("error", "")) for result in reply.mappings("batch_results", 2)] == [1000, 0]
    assert [len(warning) for warning in reply.warnings] == [1000]


@pytest.mark.parametrize("header", ["Content-Type", "Content-Encoding", "Location"])
def test_headers_of_a_server_are_short_in_a_message(header: str) -> None:
    response = Response(200, {header: "//" + "x" * 60_000}, b"no JSON")
    shown = {
        "Content-Type": lambda: transport_module._foreign("http://a", response).message,
        "Content-Encoding": lambda: transport_module._foreign("http://a", response).message,
        "Location": lambda: messages.redirected("http://a", response.headers["Location"]),
    }[header]()
    assert "x" * 100 in shown
    assert len(shown) < 600


def test_no_part_of_what_was_sent_stays_where_a_text_is_cut() -> None:
    secret = "s" * 900
    [shown] = reasons_in([f"{'x' * 500}{secret}"], {"plaintext": secret})
    assert shown == "x" * 500 + "***"
    assert reasons_in([f"{'x' * 9800}{secret}"], {"plaintext": secret}) == ["a text of 10700 characters"]
