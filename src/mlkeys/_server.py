# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Asks a server a few questions over HTTP: for looking into troubles, not for work."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from mlkeys._errors import MlkeysError

_SECONDS = 5.0


class ServerUnreachable(MlkeysError):
    """Nothing that speaks this API answers at the address."""


@dataclass(frozen=True, slots=True)
class Server:
    """An address and who asks."""

    address: str
    token: str = field(repr=False)
    namespace: str = ""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """One question: the status, and what was answered as far as it is an object."""
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        headers |= {"X-Vault-Token": self.token} if self.token else {}
        headers |= {"X-Vault-Namespace": self.namespace} if self.namespace else {}
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.address}/v1/{path}", data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(call, timeout=_SECONDS) as answer:  # noqa: S310  http or https, as the user says
                return answer.status, _object(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _object(refusal.read())
        except (OSError, ValueError) as problem:
            reason = type(getattr(problem, "reason", problem)).__name__
        raise ServerUnreachable(f"no answer ({reason})")


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
