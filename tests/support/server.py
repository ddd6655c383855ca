# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao for tests, and plain HTTP to arrange and inspect its state without the code under test."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkeys._openbao import DevServer


@dataclass(frozen=True)
class Bao:
    """A running server, its root token, and the file in which it records every request."""

    addr: str
    token: str = field(repr=False)
    audit_log: Path
    server: DevServer

    @property
    def login(self) -> dict[str, str]:
        """The connection options that modules and the lookup need to use the root token."""
        return {"url": self.addr, "token": self.token}

    def request(
        self, method: str, path: str, json: object = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One call of the API, with the root token unless another is given."""
        return self.server.request(method, path, json, token)

    def done(self, method: str, path: str, json: object = None) -> dict[str, Any]:
        """A call that has to succeed; what it answered."""
        status, body = self.request(method, path, json)
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {body}")
        return body

    def audit_entries(self) -> list[dict[str, Any]]:
        """Every audited request so far (`type: request`), oldest first; secrets in it are HMACs."""
        lines = self.audit_log.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["type"] == "request"]


@contextlib.contextmanager
def running_bao(state: Path, extra_config: str = "") -> Iterator[Bao]:
    """Start a server with a file audit device in the folder `state`; `extra_config` is more HCL for it."""
    audit_log = state / "audit.log"
    audit = f'audit "file" "file" {{ options {{ file_path = {json.dumps(str(audit_log))} }} }}\n'
    with DevServer(state, extra_config=audit + extra_config) as server:
        yield Bao(server.address, server.token, audit_log, server)


@contextlib.contextmanager
def transit_mount(bao: Bao) -> Iterator[str]:
    """A Transit engine at a path of its own."""
    path = f"transit-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    try:
        yield path
    finally:
        bao.done("DELETE", f"sys/mounts/{path}")


@contextlib.contextmanager
def policy_token(bao: Bao, policy: str) -> Iterator[str]:
    """A token that may do what the HCL `policy` says, and nothing else."""
    name = f"test-{secrets.token_hex(4)}"
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    created = bao.done("POST", "auth/token/create", {"policies": [name], "no_default_policy": True, "ttl": "1h"})
    token = str(created["auth"]["client_token"])
    try:
        yield token
    finally:
        bao.done("POST", "auth/token/revoke-accessor", {"accessor": created["auth"]["accessor"]})
        bao.done("DELETE", f"sys/policies/acl/{name}")
