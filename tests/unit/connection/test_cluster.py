# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions about a cluster: which member to use, what a refusal means, how long to wait."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import requests
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import (
    Members,
    certainly_not_applied,
    consistency_headers,
    forbids_forwarding,
    is_active,
    is_standby,
    is_temporary,
    lags_behind,
    may_serve_elsewhere,
    pause_before,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, ServerUnreachable
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, settings_from
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pauses import instead_of_pauses

A, B, C = "https://a:8200", "https://b:8200", "https://c:8200"
ELSEWHERE = "https://leader:8200"


def round_of(members: Members) -> list[str]:
    """The members that a request tries, starting with the current one."""
    members.begin()
    tried = [members.address]
    while members.next():
        tried.append(members.address)
    return tried


# --- which member to use ---


def test_each_member_is_tried_once_beginning_with_the_one_that_served_last() -> None:
    members = Members([A, B, C])
    assert round_of(members) == [A, B, C]
    assert round_of(members) == [C, A, B]
    assert round_of(members) == [B, C, A]


def test_a_working_member_is_kept() -> None:
    members = Members([A, B])
    members.begin()
    members.next()
    for _request in range(3):
        members.begin()
        assert members.address == B


def test_a_single_address_has_no_alternative() -> None:
    members = Members([A])
    assert round_of(members) == [A]
    assert not members.several


def test_a_member_that_is_not_listed_is_kept_until_it_fails() -> None:
    members = Members([A, B])
    members.begin()
    assert members.follow(f"{ELSEWHERE}/v1/transit/keys")
    assert members.address == ELSEWHERE
    assert round_of(members) == [ELSEWHERE, A, B]


def test_the_next_round_starts_with_a_listed_member() -> None:
    members = Members([A, B])
    members.begin()
    members.follow(ELSEWHERE)
    members.begin_again()
    assert members.address == A
    members.follow(ELSEWHERE)
    members.turn_back()
    assert members.address == A
    assert members.next()
    assert members.address == B


def test_a_listed_member_that_was_followed_is_not_tried_twice() -> None:
    members = Members([A, B, C])
    members.begin()
    members.follow(B)
    assert members.next()
    assert members.address == C
    assert not members.next()


@given(
    st.lists(st.sampled_from([A, B, C]), min_size=1, unique=True),
    st.lists(st.sampled_from(["begin", "next", "again", "back", B, ELSEWHERE])),
)
def test_a_round_always_ends_and_visits_every_listed_member(addresses: list[str], moves: list[str]) -> None:
    members = Members(addresses)
    does: dict[str, Any] = {
        "begin": members.begin,
        "next": members.next,
        "again": members.begin_again,
        "back": members.turn_back,
    }
    for move in moves:
        does.get(move, lambda move=move: members.follow(move))()
    tried = round_of(members)
    assert set(addresses) <= set(tried) <= {*addresses, B, ELSEWHERE}
    assert len(tried) == len(set(tried))


# --- what a member reports about itself ---


@pytest.mark.parametrize(
    ("answer", "standby", "active"),
    [
        ({}, False, False),
        ({"ha_enabled": False, "is_self": False, "leader_address": ""}, False, True),
        ({"ha_enabled": True, "is_self": True, "leader_address": A}, False, True),
        ({"ha_enabled": True, "is_self": False, "leader_address": A}, True, False),
        ({"ha_enabled": True, "is_self": False, "leader_address": ""}, True, False),
    ],
)
def test_active_and_standby_nodes(answer: dict[str, object], standby: bool, active: bool) -> None:
    assert (is_standby(answer), is_active(answer)) == (standby, active)


@pytest.mark.parametrize(
    ("index", "forward", "active_only", "headers"),
    [
        (None, True, False, {}),
        ("", True, False, {}),
        ("eyJ9", True, False, {"X-Vault-Index": "eyJ9", "X-Vault-Inconsistent": "forward-active-node"}),
        ("eyJ9", False, False, {"X-Vault-Index": "eyJ9"}),
        (None, True, True, {"X-Vault-No-Request-Forwarding": "true"}),
    ],
)
def test_consistency_headers(index: str | None, forward: bool, active_only: bool, headers: dict[str, str]) -> None:
    assert consistency_headers(index, forward=forward, active_only=active_only) == headers


# The error of Vault Enterprise in its default configuration.
DISABLED = "forwarding via header X-Vault-Inconsistent=forward-active-node disabled in configuration"


@pytest.mark.parametrize(("reason", "nothing"), [(DISABLED, True), ("permission denied", False)])
def test_a_server_that_forbids_forwarding(reason: str, nothing: bool) -> None:
    assert forbids_forwarding([reason]) is nothing


class Scripted:
    """Sends the responses of a list in place of hvac's adapter, and records the headers of each request."""

    def __init__(self, *answers: tuple[int, object, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.headers: list[dict[str, str]] = []
        self.token = self.base_uri = ""

    def request(self, _method: str, _path: str, headers: dict[str, str], **_options: object) -> requests.Response:
        self.headers.append(headers)
        response = requests.Response()
        response.status_code, content, named = self.answers.pop(0)
        response.raw = io.BytesIO(json.dumps(content).encode())
        response.headers.update(named)
        return response


def scripted(*answers: tuple[int, object, dict[str, str]], **facts: Any) -> tuple[Client, Scripted]:
    client = Client(Connection(url=A, **facts), warn=lambda _text: None)
    client._transport._adapter = adapter = Scripted(*answers)
    return client, adapter


def test_a_server_that_forbids_forwarding_is_polled_until_it_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_pauses(monkeypatch, lambda _seconds: None)
    behind: tuple[int, object, dict[str, str]] = (412, {"errors": ["required index state not present"]}, {})
    client, adapter = scripted(
        (200, {"data": {}}, {"X-Vault-Index": "eyJ9"}),
        (400, {"errors": [DISABLED]}, {}),
        behind,
        behind,
        (200, {"data": {"a": 1}}, {}),
        (200, {"data": {"a": 2}}, {}),
    )
    client.post("transit/keys/ml", {})
    assert [client.get("transit/keys/ml").data["a"] for _time in range(2)] == [1, 2]
    index = {"X-Vault-Index": "eyJ9"}
    assert adapter.headers == [{}, {**index, "X-Vault-Inconsistent": "forward-active-node"}, *[index] * 4]


@pytest.mark.parametrize(("status", "not_reached"), [(200, False), (0, False), (503, False), (412, True), (429, True)])
def test_statuses_of_a_member_that_lags_behind(status: int, not_reached: bool) -> None:
    assert lags_behind(status) is not_reached


def test_nodes_that_redirect_to_each_other_during_an_election_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_pauses(monkeypatch, lambda _seconds: None)
    client, adapter = scripted(
        (307, {}, {"Location": f"{B}/v1/a"}),
        (307, {}, {"Location": f"{A}/v1/a"}),
        (200, {"data": {"a": 1}}, {}),
        retries={"total": 1},
    )
    assert client.get("a").data == {"a": 1}
    assert adapter.base_uri == A


# --- requests that must not happen twice ---

ACTIVE = {"ha_enabled": True, "is_self": True}
ROTATE = "transit/keys/ml/rotate"
ALONE = {"X-Vault-No-Request-Forwarding": "true"}


def standby_of(address: str) -> dict[str, object]:
    return {"ha_enabled": True, "is_self": False, "leader_address": address}


def test_it_goes_to_the_active_node_which_does_not_forward_it() -> None:
    client, adapter = scripted((200, standby_of(B), {}), (200, ACTIVE, {}), (200, {"data": {"a": 1}}, {}))
    assert client.post(ROTATE, {}, repeatable=False).data == {"a": 1}
    assert adapter.base_uri == B
    assert adapter.headers == [{}, {}, ALONE]


def test_a_standby_forwards_it_if_the_active_node_is_unreachable() -> None:
    client, adapter = scripted((200, standby_of(B), {}), (502, {}, {}), (200, {"data": {"a": 1}}, {}))
    assert client.post(ROTATE, {}, repeatable=False).data == {"a": 1}
    assert adapter.base_uri == A
    assert adapter.headers == [{}, {}, {}]


def test_a_standby_that_redirects_after_forwarding_may_have_had_it_applied() -> None:
    client, adapter = scripted(
        (200, standby_of(""), {}), (307, {}, {"Location": f"{B}/v1/{ROTATE}"}), retries={"total": 3}
    )
    with pytest.raises(ServerUnreachable) as error:
        client.post(ROTATE, {}, repeatable=False)
    assert not error.value.not_applied
    assert adapter.answers == []


def test_a_node_that_redirects_without_forwarding_has_not_applied_it(monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_pauses(monkeypatch, lambda _seconds: None)
    client, adapter = scripted(
        (200, ACTIVE, {}),
        (307, {}, {"Location": f"{B}/v1/{ROTATE}"}),
        (500, {"errors": [NO_ACTIVE]}, {}),
        (200, ACTIVE, {}),
        (200, {"data": {"a": 1}}, {}),
        retries={"total": 1},
    )
    assert client.post(ROTATE, {}, repeatable=False).data == {"a": 1}
    assert adapter.headers == [{}, ALONE, ALONE, {}, ALONE]


def test_waiting_for_an_active_node_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    instead_of_pauses(monkeypatch, pauses.append)
    client, adapter = scripted(*[(200, standby_of(""), {})] * 3, retries={"total": 2, "backoff_factor": 100})
    assert not client.find_active()
    assert adapter.answers == []
    assert pauses == [0, 30]


# --- what a refusal means ---

NO_ACTIVE = "local node not active but active cluster node not found"
LOST = "leadership lost while committing log"


@pytest.mark.parametrize(
    ("status", "reason", "later", "elsewhere", "not_applied"),
    [
        (400, "key not found", False, False, True),
        (403, "permission denied", False, False, True),
        (412, "", True, False, True),
        (429, "rate limit quota exceeded", True, False, True),
        (429, "", True, False, True),
        (500, "exporting is disallowed on the policy", True, False, False),
        (501, "", False, False, False),
        (504, "", True, True, False),
        (500, NO_ACTIVE, True, True, True),
        (500, LOST, True, True, False),
        (500, "node is not the leader", True, True, False),
        (500, "leadership transfer in progress", True, True, False),
        (502, "bad gateway", True, True, False),
        (503, "Vault is sealed", True, True, True),
        (503, "Vault is not initialized", True, True, True),
        # Sent by a standby that could not forward the request, which may have been carried out nevertheless.
        (503, "no active Vault instance found", True, True, False),
    ],
)
def test_the_meaning_of_refusals(status: int, reason: str, later: bool, elsewhere: bool, not_applied: bool) -> None:
    reasons = [reason] if reason else []
    assert is_temporary(status, reasons) is later
    assert may_serve_elsewhere(status, reasons) is elsewhere
    assert certainly_not_applied(status, reasons) is not_applied


# --- how long to wait ---


@pytest.mark.parametrize(
    ("backoff", "retry_after", "timeout", "seconds"),
    [
        (0.6, None, 30, 0.6),
        (0.6, "", 30, 0.6),
        (0.6, "7", 30, 7.0),
        (9.6, "7", 30, 9.6),
        (120.0, None, 30, 30.0),
        (0.0, "30", 30, 30.0),
        (0.0, "31", 30, None),
        (0.0, "3600", 30, None),
        (0.6, "-5", 30, 0.6),
        (0.6, "Wed, 21 Oct 2026 07:28:00 GMT", 30, 0.6),
    ],
)
def test_the_pause_before_a_retry(backoff: float, retry_after: str | None, timeout: int, seconds: float | None) -> None:
    assert pause_before(backoff, retry_after, timeout) == seconds


# --- the addresses in url ---


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        (A, (A,)),
        (f"{A}/", (A,)),
        (f"{A},{B}", (A, B)),
        (f" {A}/ , {B} ,", (A, B)),
        ([A, f"{B}/"], (A, B)),
        ([A, B, A], (A, B)),
    ],
)
def test_the_forms_of_url(url: object, addresses: tuple[str, ...]) -> None:
    made = settings_from({"url": url}, {}).connection
    assert made.addresses == addresses
    assert made.url == ",".join(addresses)
    if isinstance(url, str):
        assert settings_from({}, {"VAULT_ADDR": url}).connection == made


def test_an_invalid_address_is_named() -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from({"url": f"{A},b:8200"}, {})
    assert error.value.message == "url 'b:8200' must start with https://, http:// or unix://."


NO_URL = (
    "url is not set: set url (ANSIBLE_HASHI_VAULT_ADDR, BAO_AGENT_ADDR, VAULT_AGENT_ADDR, BAO_ADDR, VAULT_ADDR, the "
    "variable ansible_hashi_vault_url or url under [hashi_vault_collection] of ansible.cfg)."
)


def test_no_address_at_all() -> None:
    nothing: list[object] = ["", ",", []]
    for url in nothing:
        with pytest.raises(InvalidOption) as error:
            settings_from({"url": url}, {})
        assert error.value.message == NO_URL


def test_one_address_is_a_cluster_of_one() -> None:
    assert Connection(url=A).addresses == (A,)
