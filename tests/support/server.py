# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao for tests, and plain HTTP to arrange and inspect its state without the code under test.

For playbooks there is a command line, whose server runs until it is stopped:

    python -m tests.support.server start FOLDER
    python -m tests.support.server start FOLDER --program vault
    python -m tests.support.server start FOLDER --in-network-of FOLDER-OF-A-HOST
    python -m tests.support.server stop FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkeys._devserver.server import DevServer
from mlkeys._devserver.state_folder import stop_detached


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
        """Call the API, with the root token unless another is given."""
        return self.server.request(method, path, json, token)

    def done(self, method: str, path: str, json: object = None) -> dict[str, Any]:
        """Call the API and return the answer. Fails if the call does not succeed."""
        status, body = self.request(method, path, json)
        # A new KV engine of version 2 sets itself up, and refuses requests until it has.
        deadline = time.monotonic() + 30
        while status == 400 and "Upgrading from non-versioned" in str(body) and time.monotonic() < deadline:
            time.sleep(0.05)
            status, body = self.request(method, path, json)
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {body}")
        return body

    def audit_entries(self) -> list[dict[str, Any]]:
        """Every audited request so far (`type: request`), oldest first; secrets in it are HMACs."""
        known, entries = _AUDITED.get(self.audit_log, (0, []))
        with self.audit_log.open("rb") as log:
            log.seek(known)
            # The server may be writing the last line. Names in lines may contain what Python treats as ends of lines.
            new = log.read().rpartition(b"\n")[0]
        if new:
            entries = entries + [entry for entry in map(json.loads, new.split(b"\n")) if entry["type"] == "request"]
            _AUDITED[self.audit_log] = (known + len(new) + 1, entries)
        return list(entries)


# What was read of each log, as it grows to many megabytes: the number of bytes, and their requests.
_AUDITED: dict[Path, tuple[int, list[dict[str, Any]]]] = {}


@contextlib.contextmanager
def running_bao(state: Path, extra_config: str = "") -> Iterator[Bao]:
    """Start a server with a file audit device in the folder `state`; `extra_config` is more HCL for it."""
    with DevServer(state, extra_config=_audit(state) + extra_config) as server:
        yield Bao(server.address, server.token, state / "audit.log", server)


def _audit(state: Path) -> str:
    return f'audit "file" "file" {{ options {{ file_path = {json.dumps(str(state / "audit.log"))} }} }}\n'


@contextlib.contextmanager
def transit_mount(bao: Bao) -> Iterator[str]:
    """A Transit engine at an unused path, until the end of the block."""
    path = f"transit-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    try:
        yield path
    finally:
        bao.done("DELETE", f"sys/mounts/{path}")


@contextlib.contextmanager
def policy_token(bao: Bao, policy: str) -> Iterator[str]:
    """A token that has the HCL `policy` and no other, until the end of the block."""
    name = f"test-{secrets.token_hex(4)}"
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    created = bao.done("POST", "auth/token/create", {"policies": [name], "no_default_policy": True, "ttl": "1h"})
    token = str(created["auth"]["client_token"])
    try:
        yield token
    finally:
        bao.done("POST", "auth/token/revoke-accessor", {"accessor": created["auth"]["accessor"]})
        bao.done("DELETE", f"sys/policies/acl/{name}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A server on loopback.")
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--program", help="another one than the package's, by name or path")
    parser.add_argument("--in-network-of", type=Path, help="the folder of a host of tests.support.hosts")
    given = parser.parse_args()
    folder = given.folder.absolute()
    if given.command == "stop":
        if folder.exists():
            stop_detached(folder)
        return
    if given.in_network_of is not None:
        # Only hosts of that network can reach the server then.
        pid = (given.in_network_of / "pid").read_text(encoding="ascii").strip()
        own = [sys.executable, "-m", "tests.support.server", "start", str(folder)]
        os.execvp("nsenter", ["nsenter", f"--net=/proc/{pid}/ns/net", *own])  # noqa: S606, S607
    program = shutil.which(given.program) if given.program else None
    if given.program and program is None:
        parser.error(f"there is no {given.program} on the PATH")
    # Vault creates audit devices by its API only.
    audit = _audit(folder) if program is None else ""
    DevServer(folder, extra_config=audit, detached=True, program=program).start()


if __name__ == "__main__":
    main()
