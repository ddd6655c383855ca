# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that holds keys, and runs of `reconcile_keys` against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerError,
    ServerUnreachable,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import (
    FAIL,
    reconcile_keys,
)

from tests.unit.stand_in import Answer, Body, StandIn, refusal

NOW = 1_800_000_000.0
LOST = ServerUnreachable("The connection broke.")
NOT_KNOWN = refusal("POST", "transit/keys/x", 400, "unknown key type x")


def denied(method: str, path: str) -> ServerError:
    return refusal(method, path, 403, "1 error occurred:\n\t* permission denied\n\n")


def stored(name: str, **attributes: Any) -> dict[str, Any]:
    """A key as the server shows it, one hour old."""
    key = {"name": name, "type": "aes256-gcm96", "latest_version": 1, "min_decryption_version": 1}
    return {**key, "keys": {"1": int(NOW) - 3600}, **attributes}


class Server(StandIn):
    """A server that holds `keys`.

    Of writes it knows creation alone; the answers to others are prepared with `on`.
    """

    def __init__(self, *keys: Mapping[str, Any]) -> None:
        super().__init__()
        self.keys = {str(key["name"]): key for key in keys}
        self.prepared: dict[str, list[Answer]] = {}

    def on(self, request: str, *answers: Answer) -> Server:
        """Give these answers, one after the other, before its own ones."""
        self.prepared[request] = list(answers)
        return self

    def answer(self, request: str, body: Body | None) -> Answer:
        prepared = self.prepared.get(request)
        if prepared:
            return prepared.pop(0)
        method, _blank, path = request.partition(" ")
        name = path.rpartition("/keys/")[2]
        if method == "LIST":
            return {"keys": sorted(self.keys)} if self.keys else refusal(method, path, 404)
        if method == "GET":
            return self.keys.get(name) or refusal(method, path, 404)
        assert (method, "/" in name) == ("POST", False), f"{request} was not expected"
        return stored(name, **(body or {}))


def key(name: str, **options: Any) -> dict[str, Any]:
    """One entry as Ansible hands it over."""
    unset = {attribute.name: None for attribute in KEY_ATTRIBUTES}
    given = {"backend": None, "state": "present", "force": False, "rotate_older_than": None}
    return {**unset, **given, "name": name, **options}


def run(server: Server, *keys: Mapping[str, Any], on_error: str = FAIL, dry_run: bool = False) -> Outcome:
    options = {"keys": list(keys), "backend": "transit", "on_error": on_error}
    return reconcile_keys(server, options, RunContext(dry_run, NOW))


def actions(outcome: Outcome) -> dict[str, str]:
    return {result["name"]: result["action"] for result in outcome.result["results"]}


def errors(outcome: Outcome) -> dict[str, str]:
    return {result["name"]: result["error"] for result in outcome.result["results"] if "error" in result}
