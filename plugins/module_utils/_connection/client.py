# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The client of a server or cluster: read, list, write, delete, with retries. **Private** to the collection."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple, Type, TypeVar, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import Place
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import suspects_of_certificate
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import (
    INDEX,
    LAG_SECONDS,
    POLL_SECONDS,
    is_standby,
    lags_behind,
    pause_before,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    MountNotFound,
    NotFound,
    PermissionDenied,
    ServerError,
    TransitError,
    Unauthenticated,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import reasons_in
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.transport import (
    Failure,
    Request,
    Transport,
    pauses,
)

# How often to send a request again that lost against another one.
_CONFLICTS = 5

Warn = Callable[[str], None]
Kind = TypeVar("Kind")
Answers = Union[Type[TransitError], Tuple[Type[TransitError], ...]]


@dataclass(frozen=True)
class Reply:
    """The content of a successful response. Its data may be secret, so it does not show in the representation.

    Attributes:
        path: of the request, for messages.
    """

    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    auth: Mapping[str, Any] = field(default_factory=dict, repr=False)
    wrap: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()
    path: str = field(default="", compare=False)

    def text(self, name: str) -> str:
        """A text of the data.

        Raises:
            UnexpectedAnswer: it is missing or something else, here as in the other methods.
        """
        return self._checked(name, self.data.get(name), str)

    def number(self, name: str, default: int | None = None) -> int:
        found = self.data.get(name)
        return self._checked(name, default if found is None else found, int)

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty where the data has none."""
        return [self._checked(name, text, str) for text in self._checked(name, self.data.get(name) or [], list)]

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A mapping, empty where the data has none."""
        return self._checked(name, self.data.get(name) or {}, dict)

    def mappings(self, name: str, count: int) -> list[Mapping[str, Any]]:
        """So many mappings."""
        found = self._checked(name, self.data.get(name), list)
        if len(found) != count:
            raise UnexpectedAnswer(self.path, name)
        return [self._checked(name, one, dict) for one in found]

    def _checked(self, name: str, value: Any, kind: type[Kind]) -> Kind:
        if isinstance(value, kind):
            return value
        raise UnexpectedAnswer(self.path, name)


class Client:
    """Talks to one server, or to the members of one cluster, with at most one token.

    Not safe for use by several threads at once. ``token`` is the only token that is ever sent: the client reads none
    from files or the environment.

    It reads what it has written: an answer is never older than its own last write.
    """

    def __init__(self, connection: Connection, warn: Warn, token: str = "", *, plain: bool = False) -> None:
        """
        Args:
            plain: whether to send requests with Python alone, without hvac.
        """
        self._connection = connection
        self._warn = warn
        self._transport = Transport(connection, token, plain=plain)
        self._wrote = False

    @property
    def token(self) -> str:
        return self._transport.token

    @token.setter
    def token(self, token: str) -> None:
        self._transport.token = token

    @property
    def url(self) -> str:
        """The address, of a cluster that of its first member."""
        return self._connection.addresses[0]

    @property
    def server_asked(self) -> str:
        """Which server is asked, as a sentence for messages."""
        return messages.asked(self._connection.addresses, self._connection.namespace)

    def asked_with(self, command: str, *words: str) -> str:
        """The same, and the command of the server's own client that shows more."""
        return f"{self.server_asked} {messages.check(self._place, command, *words)}"

    def command(self, name: str, *words: str) -> str:
        """A command of the server's own client, which asks this server in this namespace."""
        return messages.command(self._place, name, *words)

    @property
    def _place(self) -> Place:
        return self._connection.place(self.url, self._connection.namespace)

    @property
    def suspects_of_certificate(self) -> str:
        """What to check where the server refuses the login with the client certificate, for messages."""
        return suspects_of_certificate(self._connection)

    @property
    def place_of_login(self) -> Place:
        """Where it logs in, for messages."""
        return self._connection.place(self.url, self.login_namespace)

    @property
    def login_namespace(self) -> str:
        """The namespace of the login, empty for the root namespace."""
        inner, of_login = self._connection.namespace, self._connection.auth_namespace
        return inner if of_login is None else of_login

    @property
    def other_namespace(self) -> str | None:
        """Where the login has a namespace of its own, that of all other requests; else ``None``."""
        return None if self._connection.auth_namespace is None else self._connection.namespace

    @property
    def index(self) -> str | None:
        """Of the state that no answer may be older than: that after the last write, where the server names it."""
        return self._transport.index

    def not_before(self, index: str | None) -> None:
        """Get no answer older than the state of that index, which another client has seen."""
        self._transport.index = self._transport.index or index

    @property
    def may_retry(self) -> bool:
        return bool(self._connection.retries)

    def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, answers: Answers = (), login: bool = False
    ) -> Reply:
        """Read.

        Args:
            login: whether it is about the token itself, which lives in the namespace of the login.
            answers: the errors for something missing that are an answer like any other. For other ones, a standby that
                may lag behind is asked again for a while.
        """
        return self._patiently(lambda: self.request("GET", path, query=query, login=login), answers)

    def list(self, path: str) -> Reply:
        # Nothing to list is an answer.
        return self._patiently(lambda: self.request("LIST", path), NotFound)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        repeatable: bool = True,
        writes: bool = True,
        wrap_ttl: int = 0,
        login: bool = False,
    ) -> Reply:
        """Write, or have something computed.

        Args:
            repeatable: ``False`` for what must not happen twice. It is not sent again unless it was certainly not
                applied.
            writes: ``False`` for what changes nothing on the server.
            wrap_ttl: seconds for which the server keeps the answer for the holder of the wrapping token that it
                returns instead.
            login: whether it is a login or about the token itself, which lives in the namespace of the login.
        """
        reply = self._patiently(
            lambda: self.request("POST", path, body=body, repeatable=repeatable, wrap_ttl=wrap_ttl, login=login)
        )
        self._wrote = self._wrote or writes
        return reply

    def capabilities(self, paths: Sequence[str]) -> Mapping[str, Sequence[str]] | None:
        """What the token may do at paths; ``None`` if it may not ask."""
        try:
            reply = self.post("sys/capabilities-self", {"paths": list(paths)}, writes=False)
        except PermissionDenied:
            return None
        return {path: reply.texts(path) for path in paths}

    def delete(self, path: str) -> Reply:
        reply = self._patiently(lambda: self.request("DELETE", path))
        self._wrote = True
        return reply

    def close(self) -> None:
        """End the connections that are kept for further requests. The next request makes a new one."""
        self._transport.close()

    def settle(self) -> None:
        """Wait, within bounds, until the listed member has what was written: the next client starts with that one."""
        if not (self._wrote and self.index):
            return
        self._transport.members.turn_back()
        deadline = time.monotonic() + self._lag_seconds
        while lags_behind(self._transport.ask_leader({INDEX: self.index})[0]):
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)
        self._wrote = False

    def find_active(self) -> bool:
        """Talk to the active node itself from now on. Whether it was found, within the retries that are allowed."""
        left = pauses(self._connection.retries)
        members = self._transport.members
        members.begin()
        while not self._transport.turn_to_active():
            if members.next():
                continue
            pause = next(left, None)
            if pause is None:
                return False
            time.sleep(min(pause, self._connection.timeout))
            members.begin_again()
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        wrap_ttl: int = 0,
        login: bool = False,
    ) -> Reply:
        """The reply of the server.

        Raises:
            ServerUnreachable: there was no response, or one that neither Vault nor OpenBao sends.
            ServerError: the response was not a success.
        """
        left, conflicts = pauses(self._connection.retries), _CONFLICTS
        request = Request(method, path, body, query, wrap_ttl, login)
        members = self._transport.members
        members.begin()
        while True:
            active_only = not repeatable and self._transport.turn_to_active()
            content, failure = self._transport.send(request, follow=repeatable or active_only, alone=active_only)
            if failure is None:
                return _reply(content, path)
            if failure.resend:
                continue
            if failure.conflict and repeatable and conflicts:
                # Another request won. In another order, both would have succeeded.
                conflicts -= 1
                time.sleep(POLL_SECONDS)
                continue
            if not (repeatable or failure.error.not_applied):
                raise failure.error
            if failure.elsewhere and members.next():
                continue
            pause = self._pause(left, failure)
            if pause is None:
                raise self._exhausted(failure)
            if self._connection.warn_on_retry:
                self._warn(f"Retrying: {failure.error.message}")
            time.sleep(pause)
            members.begin_again()

    def _pause(self, left: Iterator[float], failure: Failure) -> float | None:
        backoff = next(left, None) if failure.temporary else None
        if backoff is None:
            return None
        return pause_before(backoff, failure.retry_after, self._connection.timeout)

    def _exhausted(self, failure: Failure) -> TransitError:
        if failure.elsewhere and self._transport.members.several:
            failure.error.message = messages.no_member(failure.error.message)
            failure.error.args = (failure.error.message,)
        return failure.error

    def _patiently(self, call: Callable[[], Reply], answers: Answers = ()) -> Reply:
        """The result of ``call``. A standby that lags behind is asked again when something is missing."""
        deadline = None
        while True:
            try:
                return call()
            except ServerError as refused:
                if isinstance(refused, answers):
                    raise
                if deadline is None:
                    if not self._may_lag(refused):
                        raise
                    deadline = time.monotonic() + self._lag_seconds
                elif time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    @property
    def _lag_seconds(self) -> float:
        return min(LAG_SECONDS, float(self._connection.timeout))

    def _may_lag(self, refused: ServerError) -> bool:
        """Whether the member may refuse only because it lags behind."""
        if self.index is not None:
            # Then it responds with 412, or has forwarded the request.
            return refused.status == 412
        missing = isinstance(refused, (NotFound, MountNotFound, Unauthenticated))
        return missing and is_standby(self._transport.ask_leader()[1])


def _reply(content: Mapping[str, Any], path: str) -> Reply:
    outer = Reply(content, path=path)
    return Reply(
        data=outer.mapping("data"),
        auth=outer.mapping("auth"),
        wrap=outer.mapping("wrap_info"),
        warnings=tuple(reasons_in(outer.texts("warnings"))),
        path=path,
    )
