# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Send requests from machines that have Python and nothing else. **Private** to the collection.

The settings are those of all other requests: TLS, client certificates, names of servers, Unix sockets and proxies.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Mapping
from urllib.parse import urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.limits import (
    TooLarge,
    content_within,
    done_within,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unix_sockets import connected, path_of


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
    try:
        return done_within(connection.timeout, lambda: _received(connection, address, path, body, token))
    except TooLarge:
        return Answer(problem="its answer is too large")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(problem=_problem(connection, error))


def _problem(connection: Connection, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLError):
        return messages.tls_problem(str(reason), connection.server_name).rstrip(".")
    if isinstance(reason, http.client.HTTPException):
        return "its answer is not HTTP"
    if "Tunnel connection failed" in repr(reason):
        return messages.PROXY.rstrip(".")
    return messages.known_problem(repr(error)) or "no response"


def _received(connection: Connection, address: str, path: str, body: Mapping[str, Any], token: str) -> Answer:
    """
    Raises:
        OSError: the server does not answer.
        ValueError: the URL is invalid.
        HTTPException: what should be an answer is none.
        TooLarge: the answer does not end.
    """
    headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
    if token:
        headers["X-Vault-Token"] = token
    if connection.namespace:
        headers["X-Vault-Namespace"] = connection.namespace
    url = f"{_base_of(address)}/v1/{path}"
    data = json.dumps(body).encode("utf-8")
    request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310  the opener is for HTTP alone
    with contextlib.closing(_opener(connection, address).open(request, timeout=connection.timeout)) as response:
        content = content_within(response, connection.timeout)
        return Answer(response.status, content, response.headers.get("Location") or "")


def _base_of(address: str) -> str:
    """The URL that requests go to. A login in an address is for proxies of others, and not sent."""
    if path_of(address):
        return "http://localhost"
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _opener(connection: Connection, address: str) -> Any:
    """Sends requests to HTTP servers, and nothing else: no file is read, no redirect followed, no status an error."""
    opener = urllib.request.OpenerDirector()
    if path := path_of(address):
        opener.add_handler(_Socket(path))
        return opener
    opener.add_handler(urllib.request.ProxyHandler(dict(connection.proxies) if connection.proxies else None))
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
    context.server_name = connection.server_name
    if connection.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif connection.ca_data:
        context.load_verify_locations(cadata=connection.ca_data)
    elif isinstance(connection.verify, str):
        kind = "capath" if os.path.isdir(connection.verify) else "cafile"
        context.load_verify_locations(**{kind: connection.verify})
    else:
        context.load_default_certs()
    if connection.client_certificate is not None:
        certificate, key = connection.client_certificate
        # Without a password, an encrypted key would make it prompt on the terminal.
        context.load_cert_chain(certificate, key, password="")
    return context
