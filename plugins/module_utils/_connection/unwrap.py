# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Unwrap what a server keeps for the holder of a wrapping token. **Private** to the collection.

This runs on machines that have Python and nothing else, so it uses Ansible's own HTTP client instead of hvac.
"""

from __future__ import annotations

import contextlib
import json
import urllib.error
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible.module_utils.urls import open_url
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import Members
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerUnreachable,
    TransitError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.limits import (
    TooLarge,
    content_within,
    done_within,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.messages import from_answer, known_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login


class TokenUsed(TransitError):
    """The wrapping token is invalid."""


@dataclass(frozen=True)
class _Answer:
    """What a server said, or why it did not. The content may be secret."""

    status: int = 0
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    location: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Wrapped:
    """One wrapping token and the server that issued it."""

    connection: Connection
    token: str = field(repr=False)

    def creation_path(self) -> str:
        """The path of the request whose answer is wrapped. Does not use the token up.

        Raises:
            TokenUsed: the token was used already, has expired, or is not a wrapping token.
        """
        found = self._ask("lookup", {"token": self.token}, with_token=False).get("creation_path")
        if not isinstance(found, str):
            raise UnexpectedAnswer("sys/wrapping/lookup", "creation_path")
        return found

    def unwrap(self) -> Mapping[str, Any]:
        """The wrapped answer. Uses the token up.

        Raises:
            TokenUsed: the token was used already, has expired, or is not a wrapping token.
        """
        return self._ask("unwrap", {}, with_token=True)

    def _ask(self, operation: str, body: Mapping[str, Any], *, with_token: bool) -> Mapping[str, Any]:
        path = f"sys/wrapping/{operation}"
        failed: list[str] = []
        for address in self.connection.addresses:
            answer = self._send_to(address, path, body, with_token=with_token)
            status, content = answer.status, answer.content
            if answer.problem:
                failed.append(f"{without_login(address)}: {answer.problem}")
                continue
            if 200 <= status < 300:
                data = content.get("data")
                return data if isinstance(data, dict) else {}
            reasons = _reasons(content)
            if any("wrapping token" in reason for reason in reasons):
                raise TokenUsed(
                    "The wrapping token is invalid: already used, expired, or not a wrapping token. If this machine "
                    "has not used it, someone else has: destroy that secret ID and find out who."
                )
            raise from_answer("POST", path, status, reasons, self.connection.namespace)
        raise ServerUnreachable(
            f"Cannot reach the server. {'; '.join(failed)}. Check url, ca_cert and that the server is running."
        )

    def _send_to(self, address: str, path: str, body: Mapping[str, Any], *, with_token: bool) -> _Answer:
        """Send to a server, or to the active node of its cluster, where it names that."""
        members = Members((address,))
        answer = self._send(f"{address}/v1/{path}", body, with_token=with_token)
        if answer.status in (307, 308) and members.follow(answer.location):
            answer = self._send(f"{members.address}/v1/{path}", body, with_token=with_token)
        if 300 <= answer.status < 400:
            return _Answer(problem=f"it redirects to '{without_login(answer.location)}'")
        return answer

    def _send(self, url: str, body: Mapping[str, Any], *, with_token: bool) -> _Answer:
        try:
            return done_within(self.connection.timeout, lambda: self._received(url, body, with_token=with_token))
        except TooLarge:
            return _Answer(problem="its answer is too large")
        except (OSError, ValueError) as error:
            return _Answer(problem=_problem(error))

    def _received(self, url: str, body: Mapping[str, Any], *, with_token: bool) -> _Answer:
        """
        Raises:
            OSError: the server does not answer.
            ValueError: the URL, or what should be an answer, is invalid.
            TooLarge: the answer does not end.
        """
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if with_token:
            headers["X-Vault-Token"] = self.token
        if self.connection.namespace:
            headers["X-Vault-Namespace"] = self.connection.namespace
        verify = self.connection.verify
        try:
            response: Any = open_url(
                url,
                data=json.dumps(body),
                headers=headers,
                method="POST",
                timeout=self.connection.timeout,
                validate_certs=verify is not False,
                ca_path=verify if isinstance(verify, str) else None,
                use_netrc=False,
                follow_redirects="none",
            )
            status = response.status
        except urllib.error.HTTPError as error:
            status, response = error.code, error
        with contextlib.closing(response):
            location = response.headers.get("Location") or ""
            return _Answer(status, _content(content_within(response, self.connection.timeout)), location)


def _content(text: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _reasons(content: Mapping[str, Any]) -> list[str]:
    errors = content.get("errors")
    return [str(reason) for reason in errors] if isinstance(errors, list) else []


def _problem(error: Exception) -> str:
    return known_problem(repr(error)) or "no response"


def checked_fields(files: Any, known: Mapping[str, Any]) -> None:
    """Refuse fields that the unwrapped data does not have.

    Raises:
        InvalidOption: with all of them, and the names of those that there are.
    """
    missing = [file["field"] for file in files if file["field"] not in known]
    if missing:
        raise InvalidOption(
            f"The wrapped data has no {', '.join(missing)}, only {', '.join(sorted(known))}. "
            "The wrapping token is used up now: create another one."
        )
