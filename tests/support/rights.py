# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries every request of a table on a server, with tokens that have one policy each.

python -m tests.support.rights FOLDER-OF-THE-SERVER TABLE
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mlkeys._devserver import http

_FORBIDDEN = 403
_DONE = (200, 204)
_KEY = "ml-api-key"
_APPROLE = "llm-gateways"
_SECRETS = {"OPENAI": "openai_api_key", "ANTHROPIC": "anthropic_api_key"}


class Server:
    """A server that was started with a folder."""

    def __init__(self, folder: Path) -> None:
        self._address = (folder / "address").read_text(encoding="ascii").strip()
        self._token = (folder / "token").read_text(encoding="ascii").strip()

    def ask(self, method: str, path: str, body: object, token: str | None = None) -> tuple[int, dict[str, Any]]:
        return http.request(self._address, method, path, body, token or self._token)

    def done(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        status, answer = self.ask(method, path, body)
        if status not in _DONE:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer

    def token(self, policy: str) -> str:
        """A token that has the policy and no other."""
        created = self.done("POST", "auth/token/create", {"policies": [policy], "no_default_policy": True})
        return str(created["auth"]["client_token"])

    def values(self) -> dict[str, str]:
        """Values of this server for the words of a table. Rotates the key, so that an old version can be trimmed."""
        self.done("POST", f"transit/keys/{_KEY}/rotate", {})
        floor = {"min_decryption_version": 2, "min_encryption_version": 2}
        self.done("POST", f"transit/keys/{_KEY}/config", floor)
        found = {
            "HMAC": str(self.done("POST", f"transit/hmac/{_KEY}", {"input": "eA=="})["data"]["hmac"]),
            "BACKUP": str(self.done("GET", f"transit/backup/{_KEY}")["data"]["backup"]),
        }
        for word, name in _SECRETS.items():
            context = base64.b64encode(name.encode()).decode("ascii")
            answer = self.done("POST", f"transit/encrypt/{_KEY}", {"plaintext": "eA==", "context": context})
            found[f"{word}_CONTEXT"], found[word] = context, str(answer["data"]["ciphertext"])
        return found

    def reset(self, values: Mapping[str, str]) -> dict[str, str]:
        """Restore what a token may have deleted, trimmed or created, and create a secret ID that it may destroy."""
        self.done("POST", f"transit/restore/{_KEY}", {"backup": values["BACKUP"], "force": True})
        self.done("DELETE", "sys/mounts/new")
        made = self.done("POST", f"auth/approle/role/{_APPROLE}/secret-id", {})
        return {**values, "ACCESSOR": str(made["data"]["secret_id_accessor"])}


def _filled(body: Any, values: Mapping[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, values) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, values) for value in body]
    return values.get(body, body) if isinstance(body, str) else body


def differences(server: Server, table: Mapping[str, Any]) -> Iterator[str]:
    """Report where a policy allows more or less than the table, and where an allowed request fails."""
    values = server.values()
    defaults = {"method": "POST", "body": None, "answers": _DONE}
    requests = {name: {**defaults, **request} for name, request in table["requests"].items()}
    for policy, groups in table["allowed"].items():
        wanted = {name for group in groups for name in ([group] if isinstance(group, str) else group)}
        known, token = server.reset(values), server.token(policy)
        answers = {
            name: server.ask(request["method"], request["path"], _filled(request["body"], known), token)[0]
            for name, request in requests.items()
        }
        allowed = {name for name, status in answers.items() if status != _FORBIDDEN}
        yield from (f"{policy}: allows {name}" for name in sorted(allowed - wanted))
        yield from (f"{policy}: does not allow {name}" for name in sorted(wanted - allowed))
        for name in sorted(wanted & allowed):
            if answers[name] not in requests[name]["answers"]:
                yield f"{policy}: {name} was answered with {answers[name]}"


def main() -> None:
    server, table = Server(Path(sys.argv[1])), yaml.safe_load(Path(sys.argv[2]).read_text(encoding="utf-8"))
    policies = set(server.ask("LIST", "sys/policies/acl", None)[1]["data"]["keys"]) - {"default", "root"}
    found = [
        *differences(server, table),
        *(f"{name}: was not tried" for name in sorted(policies - set(table["allowed"]))),
    ]
    print(json.dumps({"policies": len(table["allowed"]), "requests": len(table["requests"])}))  # noqa: T201
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
