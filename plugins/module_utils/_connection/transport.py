# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Send one request to the members of a cluster: sessions, TLS, redirects, retries. **Private** to the collection.

hvac's adapter sends. Its exceptions are not used, because they carry whole response bodies, and the body of a
half-failed batch decrypt holds the plaintext of the good half.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import (
    TooLarge,
    Watch,
    content_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.pace import Pace
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import header_value, url_path
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.unix_sockets import base_of
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
    PLAIN,
    Response,
    Unanswered,
    check_files,
    session_adapter,
    unanswered,
    with_authorities,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import (
    INDEX,
    Members,
    certainly_not_applied,
    consistency_headers,
    forbids_forwarding,
    is_active,
    is_conflict,
    is_standby,
    is_temporary,
    may_serve_elsewhere,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerError,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.plain import PlainAdapter
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import (
    item_errors,
    reasons_in,
    with_short_errors,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection

# Seconds. A member that does not name the active node at once is not worth waiting for.
_PROBE_SECONDS = 5

_TOO_LARGE = 413


@dataclass(frozen=True)
class Request:
    """A request to send. Its body may be secret, so it does not show in the representation.

    Attributes:
        login: whether it is about the token itself, which lives in the namespace of the login.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, Any] | None = None
    wrap_ttl: int = 0
    login: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a request failed.

    Attributes:
        temporary: whether the same request may succeed later.
        elsewhere: whether another member of the cluster may serve it now.
        resend: whether it was refused for a header that is not sent any more.
        conflict: whether another request changed the same at the same time.
    """

    error: TransitError
    temporary: bool
    elsewhere: bool = False
    resend: bool = False
    retry_after: str | None = None
    conflict: bool = False


class Transport:
    """Sends requests to one server, or to the members of one cluster, with at most one token.

    Attributes:
        members: the addresses, and which of them is used.
        index: of the state that no answer may be older than: that after the last write, where the server names it.
    """

    def __init__(self, connection: Connection, token: str, *, plain: bool = False) -> None:
        """
        Args:
            plain: whether to send with Python alone. hvac takes longer to import than a request takes.
        """
        self._connection = connection = with_authorities(connection)
        self._watch = Watch()
        self._adapter: Any = PlainAdapter(connection) if plain else session_adapter(connection, self._watch)
        self._pace = Pace(connection.rate)
        self._forward = True
        self.members = Members(connection.addresses)
        self.index: str | None = None
        _check_retries(connection.retries)
        check_files(connection)
        self.token = token

    @property
    def token(self) -> str:
        return self._token

    @token.setter
    def token(self, token: str) -> None:
        self._token = token
        self._adapter.token = header_value(token)

    def close(self) -> None:
        """End the connections that are kept for further requests. The next request makes a new one."""
        self._adapter.close()

    def ask_leader(self, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, Any]]:
        """What the member says about itself and the active node, ``0`` and nothing when it does not respond."""
        timeout = min(self._connection.timeout, _PROBE_SECONDS)
        self._turn_to(self.members.address)
        try:
            response = self._exchange("GET", "/v1/sys/leader", timeout, headers=dict(headers or {}))
        except (Unanswered, TooLarge):
            return 0, {}
        return response.status_code, (_json(response) or {}) if response.status_code == 200 else {}

    def turn_to_active(self) -> bool:
        """Use the active node itself, where the member names it and it responds. Whether it does."""
        leader = self.ask_leader()[1]
        if not is_standby(leader):
            return is_active(leader)
        if not self.members.follow(str(leader.get("leader_address") or "")):
            return False
        if is_active(self.ask_leader()[1]):
            return True
        self.members.turn_back()
        return False

    def send(self, request: Request, *, follow: bool, alone: bool) -> tuple[Mapping[str, Any], Failure | None]:
        """Send to one member, or to the one that it names as the active node.

        Args:
            follow: whether to follow a redirect to the active node.
            alone: the member carries it out itself or not at all.

        Returns:
            The content of a successful response, or nothing and why it failed.
        """
        here = self._turn_to(self.members.address)
        self._adapter.namespace = header_value(self._namespace_of(request)) or None
        self._pace.wait()
        headers = consistency_headers(self.index, forward=self._forward, active_only=alone)
        if request.wrap_ttl:
            headers["X-Vault-Wrap-TTL"] = str(request.wrap_ttl)
        try:
            response = self._exchange(
                request.method,
                "/v1/" + url_path(request.path),
                self._connection.timeout,
                headers=headers,
                json=request.body,
                params=request.query,
            )
        except TooLarge:
            return {}, Failure(ServerUnreachable(messages.too_large(here)), temporary=False)
        except Unanswered as failed:
            return {}, Failure(_unreachable(here, failed), failed.temporary, failed.temporary)
        if not 300 <= response.status_code < 400:
            return self._read(request, response)
        target = response.headers.get("Location", "")
        standby = response.status_code in (307, 308)
        if follow and standby and self.members.follow(target):
            # Once: two servers that each name the other as the active node would redirect forever.
            return self.send(request, follow=False, alone=alone)
        redirected = ServerUnreachable(messages.redirected(here, target))
        redirected.not_applied = alone
        return {}, Failure(redirected, temporary=standby, elsewhere=standby)

    def _turn_to(self, address: str) -> str:
        if isinstance(self._adapter, PlainAdapter):
            self._adapter.address = address
        else:
            self._adapter.base_uri = base_of(address)
        return address

    def _namespace_of(self, request: Request) -> str:
        inner, of_login = self._connection.namespace, self._connection.auth_namespace
        return of_login if request.login and of_login is not None else inner

    def _exchange(self, method: str, path: str, seconds: float, **options: Any) -> Response:
        """The whole response, within this many seconds.

        Raises:
            Unanswered: there was none.
            TooLarge: it does not end.
        """
        if isinstance(self._adapter, PlainAdapter):
            return self._adapter.exchange(method, path, seconds, **options)
        import requests

        proxy = self._connection.proxies.of(self.members.address)
        # The last entry keeps requests from adding proxies of the environment, by rules of its own.
        proxies = {**({"all": proxy} if proxy else {}), "no_proxy": "*"}
        try:
            with self._watch.running(seconds):
                response = self._adapter.request(
                    method, path, raise_exception=False, timeout=seconds, stream=True, proxies=proxies, **options
                )
                content = content_of(response)
        except requests.exceptions.RequestException as error:
            if not self._watch.passed:
                raise unanswered(self._connection, self.members.address, error) from None
        if self._watch.passed:
            # The connection was shut down, which looks like the end of the response, or like a lost connection.
            raise unanswered(self._connection, self.members.address, requests.exceptions.ReadTimeout())
        return Response(response.status_code, response.headers, content)

    def _read(self, request: Request, response: Response) -> tuple[Mapping[str, Any], Failure | None]:
        status = response.status_code
        content = _json(response)
        if content is not None and _is_health(request, content):
            return {"data": content}, None
        if content is None or not _is_from_server(request.method, status, content):
            if status == _TOO_LARGE:
                # Not for want of a server: less at once may pass.
                return {}, Failure(_too_large_on_the_way(self.members.address, request.path), temporary=False)
            return {}, Failure(
                _foreign(self.members.address, response),
                is_temporary(status, ()),
                may_serve_elsewhere(status, ()),
                retry_after=response.headers.get("Retry-After"),
            )
        if 200 <= status < 300:
            if request.method not in ("GET", "LIST"):
                self.index = response.headers.get(INDEX, self.index)
            return with_short_errors(content), None
        return {}, self._refusal(request, response, content)

    def _refusal(self, request: Request, response: Response, content: Mapping[str, Any]) -> Failure:
        status = response.status_code
        reasons = reasons_in(content.get("errors"), request.body)
        error = messages.from_answer(request.method, request.path, status, reasons, self._namespace_of(request))
        where = self._connection.place(self.members.address, self._namespace_of(request))
        if isinstance(error, Unauthenticated) and not (self.token or request.login):
            error = Unauthenticated(messages.no_token_sent(request.path, where), status, reasons)
        else:
            error.asked = messages.asked([where.address], where.namespace)
            error.message += messages.next_step(error, request.path, where, self.token)
        error.item_errors = item_errors(content, request.body)
        error.version = _version(content)
        error.not_applied = certainly_not_applied(status, reasons)
        resend = self._forward and forbids_forwarding(reasons)
        self._forward = self._forward and not resend
        return Failure(
            error,
            is_temporary(status, reasons),
            may_serve_elsewhere(status, reasons),
            resend,
            response.headers.get("Retry-After"),
            is_conflict(reasons),
        )


# Retries


def _check_retries(retries: Mapping[str, Any] | int) -> None:
    """Refuse now what would end in a traceback at the first failure."""
    try:
        next(pauses(retries), None)
    except (AttributeError, TypeError, ValueError):
        raise InvalidOption(
            "retries: invalid arguments for urllib3.util.Retry. Check their names and values."
        ) from None


# Seconds, multiplied by the number of the retry: as long as the server's own client waits, with a part left to chance.
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 1.5


def pauses(retries: Mapping[str, Any] | int) -> Iterator[float]:
    """Seconds to wait before each retry: of a number as the server's own client waits, else as urllib3 counts them."""
    if isinstance(retries, int):
        for number in range(1, retries + 1):
            yield number * random.uniform(_SHORTEST_WAIT, _LONGEST_WAIT)  # noqa: S311  no secret depends on it
        return
    if not retries:
        return
    import urllib3

    retry = urllib3.Retry(**{"backoff_factor": 0.3, **retries})
    while True:
        try:
            retry = retry.increment(error=urllib3.exceptions.HTTPError())
        except urllib3.exceptions.HTTPError:
            # Either they are used up, or (total: false) there are none.
            return
        yield retry.get_backoff_time()


# Responses


def _json(response: Response) -> Mapping[str, Any] | None:
    """The body as a mapping; empty for no body; ``None`` for a body that is not a mapping."""
    if not response.content:
        return {}
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_health(request: Request, content: Mapping[str, Any]) -> bool:
    """Whether this is the answer of ``sys/health``: not wrapped in ``data``, and the status is a part of it."""
    return request.path == "sys/health" and "sealed" in content


def _is_from_server(method: str, status: int, content: Mapping[str, Any]) -> bool:
    """Whether Vault or OpenBao may have sent this. Another server's 404 must not pass for a missing key."""
    if status < 300:
        return "data" in content or (not content and method not in ("GET", "LIST"))
    # A batch of which every item failed has data instead of errors.
    return "errors" in content or "data" in content


def _too_large_on_the_way(address: str, path: str) -> TransitError:
    refused = ServerError(messages.too_large_on_the_way(address, path), _TOO_LARGE)
    refused.not_applied = True
    return refused


def _foreign(address: str, response: Response) -> TransitError:
    encoding = response.headers.get("Content-Encoding", PLAIN)
    if encoding.lower() != PLAIN:
        return ServerUnreachable(messages.compressed(address, encoding))
    content_type = response.headers.get("Content-Type", "no content type")
    return ServerUnreachable(
        messages.foreign_server(address, response.status_code, content_type, response.content[:200])
    )


def _version(content: Mapping[str, Any]) -> int:
    """For a deleted secret, its version: the next one has to know it."""
    version = _mapping(_mapping(content.get("data")).get("metadata")).get("version")
    return version if isinstance(version, int) else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _unreachable(address: str, failed: Unanswered) -> TransitError:
    """The error for a connection that failed, and whether the request may have been carried out."""
    unreachable = ServerUnreachable(messages.cannot_reach(address, failed.problem))
    unreachable.not_applied = failed.never_sent
    unreachable.unfinished = failed.late and not failed.never_sent
    return unreachable
