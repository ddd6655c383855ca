# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries everything that can be asked of a server with tokens that have one policy each.

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

from mlkeys import _http

_FORBIDDEN = 403
_SECRETS = {"OPENAI": "openai_api_key", "ANTHROPIC": "anthropic_api_key"}


class Server:
    """One that was started with a folder."""

    def __init__(self, folder: Path) -> None:
        self._address = (folder / "address").read_text(encoding="ascii").strip()
        self._token = (folder / "token").read_text(encoding="ascii").strip()

    def ask(self, method: str, path: str, body: object, token: str | None = None) -> tuple[int, dict[str, Any]]:
        return _http.request(self._address, method, path, body, token or self._token)

    def token(self, policy: str) -> str:
        """One that may do what the policy says and nothing else."""
        status, created = self.ask("POST", "auth/token/create", {"policies": [policy], "no_default_policy": True})
        if status != 200:
            raise SystemExit(f"no token for {policy}: {created}")
        return str(created["auth"]["client_token"])

    def values(self) -> dict[str, str]:
        """What stands for ciphertexts and contexts in a table."""
        found = {}
        for word, name in _SECRETS.items():
            context = base64.b64encode(name.encode()).decode("ascii")
            body = {"plaintext": "eA==", "context": context}
            answer = self.ask("POST", "transit/encrypt/ml-api-key", body)[1]
            found[f"{word}_CONTEXT"], found[word] = context, str(answer["data"]["ciphertext"])
        return found


def _filled(body: Any, values: Mapping[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, values) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, values) for value in body]
    return values.get(body, body) if isinstance(body, str) else body


def differences(server: Server, table: Mapping[str, Any]) -> Iterator[str]:
    """Where a policy allows more or less than the table says, and where what it allows does not work."""
    values = server.values()
    defaults = {"method": "POST", "body": None, "answer": 200}
    requests = {name: {**defaults, **request} for name, request in table["requests"].items()}
    for policy, groups in table["allowed"].items():
        wanted = {name for group in groups for name in ([group] if isinstance(group, str) else group)}
        token = server.token(policy)
        answers = {
            name: server.ask(request["method"], request["path"], _filled(request["body"], values), token)[0]
            for name, request in requests.items()
        }
        allowed = {name for name, status in answers.items() if status != _FORBIDDEN}
        yield from (f"{policy}: allows {name}" for name in sorted(allowed - wanted))
        yield from (f"{policy}: does not allow {name}" for name in sorted(wanted - allowed))
        for name in sorted(wanted & allowed):
            answer = requests[name]["answer"]
            if answers[name] != answer:
                yield f"{policy}: {name} was answered with {answers[name]}, and not with {answer}"


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
