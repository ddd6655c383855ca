# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server is asked about ciphertexts, and what is made of the answers of a server that lags behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    KEPT,
    REWRAPPED,
    KeyState,
    RewrapResult,
    Wanted,
    decide,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

from tests.support.ciphertext_forms import token
from tests.unit.stand_in import Answer, Body, StandIn

OLD = FoundCiphertext(token(1, bytes(40)), 3, "API-KEY")
PRESENT = FoundCiphertext(token(2, bytes(41)), 4)


class Standby(StandIn):
    """A server that may not know of the latest version, 2, unless a request names it."""

    def __init__(self, latest: int) -> None:
        super().__init__()
        self.latest = latest

    @property
    def items(self) -> list[Any]:
        return [body["batch_input"] for _request, body in self.requests if body is not None]

    def answer(self, request: str, body: Body | None) -> Answer:
        assert request.startswith("POST transit/rewrap/ml")
        assert body is not None
        versions = [item.get("key_version", self.latest) for item in body["batch_input"]]
        return {"batch_results": [{"ciphertext": token(version, bytes(42))} for version in versions]}


def decided(server: Standby, found: FoundCiphertext, *, version: int = 0, derived: bool = False) -> RewrapResult:
    key = KeyState(version or 2, 2, derived)
    return decide(Transit(server, "transit"), [found], Wanted("ml", version), key)[found.text]


def test_the_latest_version_and_what_a_key_ignores_are_not_sent() -> None:
    server = Standby(2)
    assert decided(server, OLD) == RewrapResult(REWRAPPED, "api_key", token(2, bytes(42)))
    assert server.items == [[{"ciphertext": OLD.text}]]


def test_a_derived_key_gets_the_context() -> None:
    server = Standby(2)
    assert decided(server, OLD, derived=True).name == "api_key"
    assert server.items == [[{"ciphertext": OLD.text, "context": "YXBpX2tleQ=="}]]


@pytest.mark.parametrize("derived", [False, True])
def test_a_standby_that_does_not_know_the_latest_version_gets_its_number(derived: bool) -> None:
    server = Standby(1)
    assert decided(server, OLD, derived=derived).successor == token(2, bytes(42))
    assert [[item.get("key_version") for item in items] for items in server.items] == [[None], [2]]


def test_a_later_version_than_the_latest_that_was_seen_is_taken() -> None:
    server = Standby(3)
    assert decided(server, OLD).successor == token(3, bytes(42))
    assert len(server.items) == 1


def test_a_version_that_is_asked_for_is_named() -> None:
    server = Standby(3)
    assert decided(server, OLD, version=2).successor == token(2, bytes(42))
    assert [item["key_version"] for item in server.items[0]] == [2]


def test_what_has_the_version_already_stays() -> None:
    assert decided(Standby(2), PRESENT) == RewrapResult(KEPT)
