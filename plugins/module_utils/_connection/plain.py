# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Send requests with Python and nothing else. **Private** to the collection.

Some machines have no more, and some commands would spend most of their time on the import of more.

The settings are those of all other requests: TLS, client certificates, names of servers, Unix sockets and proxies.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Mapping
from urllib.parse import unquote, urlencode, urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import (
    TooLarge,
    content_within,
    done_within,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import ascii_url, header_value
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.unix_sockets import connected, path_of
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
    Response,
    Unanswered,
    as_lenient_as_the_client,
    connection_lost,
    load_client_certificate,
    tls_problem,
    trusted,
    unwelcome,
    with_authorities,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


@dataclass(frozen=True)
class Answer:
    """What a server said, or why it did not. The content may be secret."""

    status: int = 0
    content: bytes = field(default=b"", repr=False)
    location: str = ""
    problem: str = ""


def post(connection: Connection, address: str, path: str, body: Mapping[str, Any], token: str) -> Answer:
    """Send to the server at an address, within the time that a connection allows. Redirects are not followed.

    Args:
        token: empty to send none.
    """
    headers = _headers(header_value(token), header_value(connection.namespace))
    try:
        connection = with_authorities(connection)
    except InvalidOption as error:
        return Answer(problem=error.message.rstrip("."))
    try:
        got = done_within(
            connection.timeout, lambda: _received(connection, address, ("POST", f"/v1/{path}"), headers, body)
        )
    except TooLarge:
        return Answer(problem="its answer is too large")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(problem=_problem(connection, address, error))
    return Answer(got.status_code, got.content, got.headers.get("Location") or "")


class PlainAdapter:
    """Sends requests as hvac's adapter does.

    Attributes:
        address: of the server.
        token: as a header carries it.
        namespace: as a header carries it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.address = connection.addresses[0]
        self.token = ""
        self.namespace: str | None = None

    def close(self) -> None:
        """No connection is kept after a request."""

    def exchange(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        headers: Mapping[str, str],
        json: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Response:
        """The whole response, within this many seconds.

        Raises:
            Unanswered: there was none.
            TooLarge: it does not end.
        """
        where = f"{path}?{urlencode(params)}" if params else path
        sent = {**headers, **_headers(self.token, self.namespace or "")}
        try:
            return done_within(seconds, lambda: _received(self._connection, self.address, (method, where), sent, json))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _unanswered(self._connection, self.address, error) from None


def _unanswered(connection: Connection, address: str, error: Exception) -> Unanswered:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    unheard = isinstance(reason, _UNHEARD)
    late = isinstance(reason, TimeoutError)
    final = True
    if isinstance(reason, ssl.SSLError):
        # The error about a certificate is a ValueError, too.
        problem = tls_problem(connection, reason)
    elif isinstance(reason, (str, ValueError, http.client.InvalidURL)):
        problem = messages.invalid_url(type(reason).__name__)
    elif _is_of_proxy(connection, address, reason):
        problem = messages.proxy_problem(connection.proxies, address)
    else:
        final = False
        problem = (
            messages.no_response(connection.timeout) if late else connection_lost(connection, address, repr(error))
        )
    return Unanswered(problem, temporary=not final, never_sent=unheard, late=late)


# Names that do not resolve and ports that are closed: there was nobody to send to.
_UNHEARD = (ConnectionRefusedError, socket.gaierror, FileNotFoundError)


def _is_of_proxy(connection: Connection, address: str, reason: Any) -> bool:
    unheard = isinstance(reason, _UNHEARD) and bool(connection.proxies.of(address))
    return unheard or "Tunnel connection failed" in repr(reason)


def _headers(token: str, namespace: str) -> dict[str, str]:
    headers = {"X-Vault-Request": "true"}
    if token:
        headers["X-Vault-Token"] = token
    if namespace:
        headers["X-Vault-Namespace"] = namespace
    return headers


def _problem(connection: Connection, address: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLError):
        return tls_problem(connection, reason).rstrip(".")
    if isinstance(reason, http.client.HTTPException):
        return "its answer is not HTTP"
    if _is_of_proxy(connection, address, reason):
        return messages.proxy_problem(connection.proxies, address).rstrip(".")
    hint = unwelcome(connection, address, repr(error)).rstrip(".")
    return messages.known_problem(repr(error)) or (f"no response: {hint}" if hint else "no response")


def _received(
    connection: Connection, address: str, asked: tuple[str, str], headers: Mapping[str, str], body: Any
) -> Response:
    """
    Args:
        asked: the method and the path.

    Raises:
        OSError: the server does not answer.
        ValueError: the URL is invalid.
        HTTPException: what should be an answer is not valid HTTP.
        TooLarge: the answer does not end.
    """
    method, path = asked
    data = None if body is None else json.dumps(body).encode("utf-8")
    kind = {} if data is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(  # noqa: S310  the opener is for HTTP alone
        f"{_base_of(address)}{path}", data, {**headers, **kind}, method=method
    )
    if proxy := connection.proxies.of(address):
        _send_by(request, proxy)
    with contextlib.closing(_opener(connection, address).open(request, timeout=connection.timeout)) as response:
        content = content_within(response, connection.timeout)
        return Response(response.status, response.headers, content)


def _base_of(address: str) -> str:
    """The URL that requests go to. A login in an address is for proxies of others, and not sent."""
    if path_of(address):
        return "http://localhost"
    return ascii_url(address)


def _send_by(request: urllib.request.Request, proxy: str) -> None:
    """Send a request through a proxy. Python's own handler asks the environment once more whether to."""
    parts = urlsplit(proxy)
    login, _at, host = parts.netloc.rpartition("@")
    if login:
        request.add_header("Proxy-Authorization", f"Basic {base64.b64encode(unquote(login).encode()).decode()}")
    request.set_proxy(host, parts.scheme)


def _opener(connection: Connection, address: str) -> Any:
    """Sends requests to HTTP servers, and nothing else: no file is read, no redirect followed, no status an error."""
    opener = urllib.request.OpenerDirector()
    if path := path_of(address):
        opener.add_handler(_Socket(path))
        return opener
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=_tls(connection)))
    opener.add_handler(urllib.request.UnknownHandler())
    return opener


class _Socket(urllib.request.HTTPHandler):
    """Sends requests to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: Any) -> Any:
        connection: Any = functools.partial(_SocketConnection, self._path)
        return self.do_open(connection, req)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, host: str, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        try:
            self.sock = connected(self._path, self.timeout)
        except OSError as error:
            raise OSError(f"at a socket: {error.strerror or 'timed out'}") from None


class _Tls(ssl.SSLContext):
    """Verifies the name that certificates must have, which may be another one than that of the address.

    Attributes:
        server_name: this name, empty for that of the address.
    """

    server_name = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if self.server_name:
            options["server_hostname"] = self.server_name
        return super().wrap_socket(*arguments, **options)


def _tls(connection: Connection) -> ssl.SSLContext:
    context = _Tls(ssl.PROTOCOL_TLS_CLIENT)
    as_lenient_as_the_client(context)
    context.server_name = connection.server_name
    if connection.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif connection.ca_data or isinstance(connection.verify, str):
        file, folders, texts = trusted(connection)
        if file or folders or texts:
            context.load_verify_locations(cafile=file or None, capath=folders or None, cadata=texts or None)
    else:
        context.load_default_certs()
        _load_those_of_requests(context)
    load_client_certificate(context, connection)
    return context


def _load_those_of_requests(context: ssl.SSLContext) -> None:
    """Trust what hvac trusts as well, where it is installed."""
    try:
        import certifi
    except ImportError:
        return
    context.load_verify_locations(cafile=certifi.where())
