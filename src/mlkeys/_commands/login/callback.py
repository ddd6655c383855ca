# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Wait on this machine for the browser that comes back from an OIDC provider."""

from __future__ import annotations

import contextlib
import errno
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from mlkeys._errors import MlkeysError

_PATH = "/oidc/callback"
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>mlkeys</title>
<p>You can close this page, and go on in the terminal.</p>
"""

Parameters = dict[str, str]


class Callback:
    """Listens at `localhost`. Only the first request with the state of the login is an answer."""

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}{_PATH}"
        self.problem = ""
        self._answers: queue.Queue[Parameters] = queue.Queue()
        self._servers: list[ThreadingHTTPServer] = []

    def wait(self, state: str, seconds: float) -> Parameters:
        """The parameters that the provider gave to the browser.

        Raises:
            MlkeysError: it did not come in time, or there is nobody to wait for it.
        """
        if self.problem:
            raise MlkeysError(f"{self.url}: {self.problem}. Choose another port with --port.")
        try:
            while True:
                found = self._answers.get(timeout=seconds)
                if found.get("state") == state:
                    return found
        except queue.Empty:
            raise MlkeysError(f"Nobody logged in within {seconds:.0f} seconds.") from None

    def listen(self, port: int) -> None:
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                if asked.path != _PATH:
                    self.send_error(404)
                    return
                answers.put({name: values[0] for name, values in parse_qs(asked.query).items()})
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(_PAGE)))
                self.end_headers()
                self.wfile.write(_PAGE)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
                """Write nothing: the request holds the code of the login."""

        # A browser may use either as localhost.
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            kind = type("Server", (ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
            try:
                server: ThreadingHTTPServer = kind((address, port), Handler)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    self.problem = error.strerror or "the port cannot be used"
                continue
            self._servers.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def callback(port: int) -> Iterator[Callback]:
    """Listens for the time of the block. Where that is not possible, only the wait fails: not every login needs it."""
    made = Callback(port)
    try:
        made.listen(port)
        yield made
    finally:
        made.close()
