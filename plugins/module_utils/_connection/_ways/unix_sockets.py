# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Reach a server, an agent or a proxy at a Unix socket. **Private** to the collection.

An address such as ``unix:///run/bao.sock`` becomes a URL whose host is the path in hexadecimal digits: requests and
urllib3 change any other text.
"""

from __future__ import annotations

import socket
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import (
    Watch,
    decompressing_nothing,
    watched_pool,
)

SCHEME = "http+unix://"

_PREFIX = "unix://"


def path_of(address: str) -> str:
    """The path of the socket, empty for the address of a network."""
    return address[len(_PREFIX) :] if address.startswith(_PREFIX) else ""


def base_of(address: str) -> str:
    """The URL that requests for this address go to."""
    path = path_of(address)
    return SCHEME + path.encode().hex() if path else address


def connected(path: str, timeout: float | None) -> socket.socket:
    """A connection to a socket.

    Raises:
        OSError: there is none.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout)
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def socket_adapter(watch: Watch) -> Any:
    """An adapter for a session of `requests` that talks to Unix sockets, and shows each connection to ``watch``."""
    import requests
    import urllib3

    adapter: Any = decompressing_nothing(requests.adapters.HTTPAdapter())
    pool = watched_pool(_pool(urllib3.connectionpool.HTTPConnectionPool), watch, lambda _made: None)
    scheme = SCHEME.partition(":")[0]
    adapter.poolmanager.pool_classes_by_scheme = {scheme: pool}
    adapter.poolmanager.key_fn_by_scheme[scheme] = adapter.poolmanager.key_fn_by_scheme["http"]
    usual = adapter.send

    def send(request: Any, **options: Any) -> Any:
        # A proxy of the environment is for networks.
        return usual(request, **{**options, "proxies": None})

    adapter.send = send
    return adapter


def _pool(pool: Any) -> Any:
    """A class of pools whose connections are made to sockets."""
    usual = pool.ConnectionCls

    def new_connection(self: Any) -> socket.socket:
        import urllib3

        timeout = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            return connected(bytes.fromhex(self.host).decode(), timeout)
        except OSError as error:
            # The words of urllib3, since errors are recognised by them.
            raise urllib3.exceptions.NewConnectionError(
                self, f"Failed to establish a new connection at a socket: {error.strerror or 'timed out'}"
            ) from None

    def start(self: Any, host: str, port: int | None = None, timeout: Any = None, **_tls: Any) -> None:
        # urllib3 leaves out what is for TLS alone where the scheme is http.
        usual.__init__(self, host, port, timeout=timeout)

    connection = type(usual.__name__, (usual,), {"__init__": start, "_new_conn": new_connection})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})
