# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Take out what a server keeps for the holder of a wrapping token. **Private** to the collection.

This runs on machines that have Python and nothing else: Ansible's own HTTP client serves instead of hvac.
"""

from __future__ import annotations

import json
import urllib.error
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible.module_utils.urls import open_url
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerUnreachable,
    TransitError,
    from_answer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


class TokenUsed(TransitError):
    """The wrapping token does not serve (any more)."""


@dataclass(frozen=True)
class Wrapped:
    """One wrapping token and the server that gave it."""

    connection: Connection
    token: str = field(repr=False)

    def creation_path(self) -> str:
        """What the answer that is kept was an answer to. Does not use the token up.

        Raises:
            TokenUsed: somebody had the answer already, or its time is over.
        """
        return str(self._ask("lookup", {"token": self.token}, with_token=False)["creation_path"])

    def unwrap(self) -> Mapping[str, Any]:
        """What is kept. The token is worth nothing after that.

        Raises:
            TokenUsed: somebody had the answer already, or its time is over.
        """
        return self._ask("unwrap", {}, with_token=True)

    def _ask(self, operation: str, body: Mapping[str, Any], *, with_token: bool) -> Mapping[str, Any]:
        path = f"sys/wrapping/{operation}"
        reached: list[str] = []
        for address in self.connection.addresses:
            status, content, problem = self._send(f"{address}/v1/{path}", body, with_token=with_token)
            if problem:
                reached.append(f"{address}: {problem}")
                continue
            if 200 <= status < 300:
                data = content.get("data")
                return data if isinstance(data, dict) else {}
            reasons = [str(reason) for reason in content.get("errors") or ()]
            if any("wrapping token" in reason for reason in reasons):
                raise TokenUsed(
                    "The wrapping token does not serve: it was used before, its time is over, or it is none. If this "
                    "machine has not used it, somebody else has: destroy that secret ID and look into who did."
                )
            raise from_answer("POST", path, status, reasons, self.connection.namespace)
        raise ServerUnreachable(f"Cannot reach the server. {'; '.join(reached)}. Check url, ca_cert and that it runs.")

    def _send(self, url: str, body: Mapping[str, Any], *, with_token: bool) -> tuple[int, Mapping[str, Any], str]:
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if with_token:
            headers["X-Vault-Token"] = self.token
        if self.connection.namespace:
            headers["X-Vault-Namespace"] = self.connection.namespace
        verify = self.connection.verify
        try:
            answer = open_url(
                url,
                data=json.dumps(body),
                headers=headers,
                method="POST",
                timeout=self.connection.timeout,
                validate_certs=verify is not False,
                ca_path=verify if isinstance(verify, str) else None,
                use_netrc=False,
                follow_redirects="all",
            )
        except urllib.error.HTTPError as error:
            return error.code, _content(error.read()), ""
        except (OSError, ValueError) as error:
            return 0, {}, _problem(error)
        return answer.status, _content(answer.read()), ""


def _content(text: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _problem(error: Exception) -> str:
    """Why there was no answer. The library's text may hold what was sent, so only signs in it count."""
    words = f"{error!r}"
    for sign, meaning in _SIGNS:
        if sign in words:
            return meaning
    return "no answer"


_SIGNS = (
    ("CERTIFICATE_VERIFY_FAILED", "its TLS certificate was not accepted"),
    ("WRONG_VERSION_NUMBER", "it does not speak https"),
    ("refused", "connection refused"),
    ("timed out", "no answer in time"),
    ("not known", "its name does not resolve"),
    ("name resolution", "its name does not resolve"),
    ("No such file", "ca_cert cannot be read"),
)


def checked_fields(files: Any, known: Mapping[str, Any]) -> None:
    """Refuse fields that the answer does not have.

    Raises:
        InvalidOption: with all of them, and the names of those that it has.
    """
    missing = [file["field"] for file in files if file["field"] not in known]
    if missing:
        raise InvalidOption(
            f"What was wrapped has no {', '.join(missing)}, but {', '.join(sorted(known))}. It is used up now: "
            "have it wrapped anew."
        )
