# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay before a server that remembers what passes, and can keep an answer back."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.integration.support.tls import Pair

# Headers that belong to one connection.
OWN_HEADERS = {"connection", "content-length", "host", "transfer-encoding"}


@dataclass(frozen=True)
class Passed:
    method: str
    path: str
    token: str | None = field(repr=False)
    namespace: str | None


@dataclass
class Relay:
    url: str = ""
    passed: list[Passed] = field(default_factory=list)
    # Whether the answer to a request is thrown away and the connection cut.
    cuts: Callable[[Passed], bool] = lambda _request: False


@contextlib.contextmanager
def relay(target: str) -> Iterator[Relay]:
    """A relay on a port of its own before the server at the URL `target`."""
    made = Relay()
    host = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Passed(
                self.command,
                self.path.removeprefix("/v1/"),
                self.headers.get("X-Vault-Token"),
                self.headers.get("X-Vault-Namespace"),
            )
            made.passed.append(request)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN_HEADERS}
            server = http.client.HTTPConnection(host)
            try:
                server.request(self.command, self.path, body, headers)
                answer = server.getresponse()
                content = answer.read()
            finally:
                server.close()
            if made.cuts(request):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OWN_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_LIST = do_DELETE = hand_on  # noqa: N815  the names are the base class's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  so is this one
            pass

    with serving(Handler) as made.url:
        yield made


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler], pair: Pair | None = None) -> Iterator[str]:
    """The URL of a server on loopback that runs in this process; it speaks TLS when it has a certificate."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'http' if pair is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
