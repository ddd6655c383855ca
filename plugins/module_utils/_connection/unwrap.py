# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Unwrap what a server keeps for the holder of a wrapping token. **Private** to the collection.

This runs on machines that have Python and nothing else, so it sends its requests without hvac.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import check_files
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import Members
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerUnreachable,
    TransitError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.messages import (
    asked,
    from_answer,
    next_step,
    place_in,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.plain import Answer, post
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import reasons_in
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login


class TokenUsed(TransitError):
    """The wrapping token is invalid."""


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
        check_files(self.connection)
        path = f"sys/wrapping/{operation}"
        failed: list[str] = []
        for address in self.connection.addresses:
            answer = self._send_to(address, path, body, with_token=with_token)
            status, content = answer.status, _content(answer.content)
            if answer.problem:
                failed.append(f"{without_login(address)}: {answer.problem}")
                continue
            if ("data" if status < 300 else "errors") not in content:
                failed.append(f"{without_login(address)}: it is not Vault or OpenBao (HTTP {status})")
                continue
            if status < 300:
                data = content["data"]
                return data if isinstance(data, dict) else {}
            reasons = reasons_in(content["errors"], body)
            if any("wrapping token" in reason for reason in reasons):
                raise TokenUsed(
                    "The wrapping token is invalid: already used, expired, or not a wrapping token. If this machine "
                    "has not used it, someone else has: destroy that secret ID and find out who. "
                    f"{asked([address], self.connection.namespace)}"
                )
            refused = from_answer("POST", path, status, reasons, self.connection.namespace)
            refused.message += next_step(refused, path, self.connection.place(address, self.connection.namespace))
            raise refused
        raise ServerUnreachable(
            f"Cannot reach the server. {'; '.join(failed)}. Check url, ca_cert and that the server is running."
        )

    def _send_to(self, address: str, path: str, body: Mapping[str, Any], *, with_token: bool) -> Answer:
        """Send to a server, or to the active node of its cluster, where it names that."""
        members, token = Members((address,)), self.token if with_token else ""
        answer = post(self.connection, members.address, path, body, token)
        if answer.status in (307, 308) and members.follow(answer.location):
            answer = post(self.connection, members.address, path, body, token)
        if 300 <= answer.status < 400:
            return Answer(problem=f"it redirects to '{place_in(answer.location)}'")
        return answer


def _content(text: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


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
