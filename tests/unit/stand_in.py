# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client without a server, for what no real server does on demand: its answers are the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.messages import from_answer
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection

Body: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Mapping[str, Any] | TransitError | None


def refusal(method: str, path: str, status: int, *reasons: str) -> ServerError:
    """The error that a server answers with."""
    return from_answer(method, path, status, reasons)


class StandIn(Client):
    """Answers requests by `answer` and remembers them.

    Attributes:
        requests: each as ``METHOD path`` with its body, in their order.
    """

    def __init__(self) -> None:
        super().__init__(Connection(url="http://127.0.0.1:1"), warn=lambda _text: None)
        self.requests: list[tuple[str, Body | None]] = []
        # Where this is known, no answer is doubted, and nobody asks which node is the active one.
        self.not_before("known")

    def answer(self, request: str, body: Body | None) -> Answer:
        """What the server answers to ``METHOD path``, or the error that it answers with."""
        raise NotImplementedError

    @property
    def asked(self) -> list[str]:
        return [request for request, _body in self.requests]

    @property
    def written(self) -> list[str]:
        return [request for request in self.asked if not request.startswith(("GET ", "LIST "))]

    @property
    def read(self) -> list[str]:
        return [request for request in self.asked if request.startswith(("GET ", "LIST "))]

    def find_active(self) -> bool:
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        query: Body | None = None,
        repeatable: bool = True,
        wrap_ttl: int = 0,
        login: bool = False,
    ) -> Reply:
        assert query is None
        assert wrap_ttl == 0
        assert not login
        assert repeatable is not path.endswith(("/rotate", "/import", "/import_version"))
        self.requests.append((f"{method} {path}", body))
        answer = self.answer(f"{method} {path}", body)
        if isinstance(answer, TransitError):
            raise answer
        return Reply(answer or {})


class Script(StandIn):
    """Gives the answers that are written down, in that order and no others."""

    def __init__(self, *exchanges: tuple[str, Answer]) -> None:
        super().__init__()
        self.exchanges = list(exchanges)

    @property
    def bodies(self) -> list[Body | None]:
        return [body for _request, body in self.requests]

    def answer(self, request: str, _body: Body | None) -> Answer:
        assert self.exchanges, f"{request} comes too late"
        expected, answer = self.exchanges.pop(0)
        assert request == expected
        return answer
