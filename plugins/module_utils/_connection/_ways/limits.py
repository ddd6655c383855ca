# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""End a response that takes too long or has no end. **Private** to the collection.

The timeouts of Python's libraries apply to each single read. A server that sends a byte now and then stays below them
forever. So a timer shuts the connection down when the time for the whole response is over.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from typing import Any, Callable, Iterable, Iterator, TypeVar

# Bytes. The servers themselves refuse requests of more than 32 MiB, and answers to those are little longer.
MAX_RESPONSE = 64 * 1024 * 1024

_CHUNK = 64 * 1024

_T = TypeVar("_T")


class TooLarge(Exception):
    """A response is longer than `MAX_RESPONSE`."""


class Watch:
    """Watches the connection of one request at a time.

    Attributes:
        passed: whether the last request was ended because its time was over.
    """

    def __init__(self) -> None:
        # A signal may come while it is held.
        self._lock = threading.RLock()
        self._socket: Any = None
        self._over = False
        self.passed = False

    @contextlib.contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """Shut the connection down when the block takes longer."""
        self.passed, self._over, self._socket = False, False, None
        try:
            with _after(seconds, self._end):
                yield
        finally:
            with self._lock:
                self._socket = None

    def watch(self, connected: Any) -> None:
        """Watch this socket."""
        with self._lock:
            self._socket = connected
            if self._over:
                self._shut_down()

    def _end(self) -> None:
        with self._lock:
            self._over = True
            self._shut_down()

    def _shut_down(self) -> None:
        # Without a connection, the attempt to make one has a limit of its own.
        if self._socket is not None:
            self.passed = True
            # TLS within TLS has no socket of its own, and the method of a TLS socket is not for other threads.
            plain = getattr(self._socket, "socket", self._socket)
            with contextlib.suppress(OSError):
                socket.socket.shutdown(plain, socket.SHUT_RDWR)


@contextlib.contextmanager
def _after(seconds: float, end: Callable[[], None]) -> Iterator[None]:
    """Call a function when the block takes longer."""
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:
        # Since Python 3.12, no thread starts once the interpreter ends, which is when logins are revoked. In other
        # threads than the main one, only the timeout of each read is left.
        is_main = threading.current_thread() is threading.main_thread()
        stop = _alarm(seconds, end) if is_main else _nothing
    else:
        stop = timer.cancel
    try:
        yield
    finally:
        stop()


def _alarm(seconds: float, end: Callable[[], None]) -> Callable[[], None]:
    """Call a function after some time, by a signal. Return what calls that off."""
    former = signal.signal(signal.SIGALRM, lambda _number, _frame: end())
    signal.setitimer(signal.ITIMER_REAL, seconds)

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former if former is not None else signal.SIG_DFL)

    return stop


def _nothing() -> None:
    """There is nothing to call off."""


def watched_adapter(watch: Watch, prepare: Callable[[Any], None]) -> Any:
    """An adapter for a session of `requests` that shows each connection to ``watch``.

    Args:
        prepare: is called with each of urllib3's TLS connections before it is made.
    """
    import requests
    import urllib3

    pools = {
        "http": watched_pool(urllib3.connectionpool.HTTPConnectionPool, watch, lambda _made: None),
        "https": watched_pool(urllib3.connectionpool.HTTPSConnectionPool, watch, prepare),
    }
    adapter: Any = decompressing_nothing(requests.adapters.HTTPAdapter())
    adapter.poolmanager.pool_classes_by_scheme = pools
    usual = adapter.proxy_manager_for

    def proxy_manager_for(*arguments: Any, **options: Any) -> Any:
        manager = usual(*arguments, **options)
        manager.pool_classes_by_scheme = pools
        return manager

    adapter.proxy_manager_for = proxy_manager_for
    return adapter


def decompressing_nothing(adapter: Any) -> Any:
    """Let an adapter of `requests` return bodies as they were sent: a few bytes can become a gigabyte.

    Its responses still have the header that says how they are compressed.
    """
    usual = adapter.build_response

    def build_response(request: Any, received: Any) -> Any:
        response = usual(request, received)
        # urllib3 reads it when the body is read.
        received.headers.pop("Content-Encoding", None)
        return response

    adapter.build_response = build_response
    return adapter


def watched_pool(pool: Any, watch: Watch, prepare: Callable[[Any], None]) -> Any:
    """A class of pools whose connections are watched from the moment that a response is awaited."""
    usual = pool.ConnectionCls

    def getresponse(self: Any, *arguments: Any, **options: Any) -> Any:
        watch.watch(self.sock)
        return usual.getresponse(self, *arguments, **options)

    def connect(self: Any) -> Any:
        prepare(self)
        return usual.connect(self)

    watched = type(usual.__name__, (usual,), {"getresponse": getresponse, "connect": connect})
    return type(pool.__name__, (pool,), {"ConnectionCls": watched})


def content_of(response: Any) -> bytes:
    """The body of a streamed response of `requests`.

    Raises:
        TooLarge: it is longer than `MAX_RESPONSE`.
    """
    with response:  # What is left of it must not be the next answer.
        return _joined(response.iter_content(_CHUNK))


def _joined(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_RESPONSE:
            raise TooLarge
    return bytes(content)


def done_within(seconds: float, call: Callable[[], _T]) -> _T:
    """What ``call`` returns, or raises.

    It runs in a thread of its own, which is left to itself when the time is over: Python's own HTTP client lets nobody
    end the wait for headers, which may come one byte at a time.

    Raises:
        TimeoutError: it was not done after this many seconds.
    """
    returned: list[_T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            returned.append(call())
        except Exception as error:  # noqa: BLE001  raised below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in raised:
        raise error
    for value in returned:
        return value
    raise TimeoutError("timed out")


def content_within(response: Any, seconds: float) -> bytes:
    """The body of a response of Python's own HTTP client.

    Raises:
        TimeoutError: it was not complete after this many seconds.
        TooLarge: it is longer than `MAX_RESPONSE`.
    """
    return _joined(_chunks(response, time.monotonic() + seconds))


def _chunks(response: Any, end: float) -> Iterator[bytes]:
    while True:
        chunk = response.read1(_CHUNK)
        if not chunk:
            return
        yield chunk
        if time.monotonic() > end:
            raise TimeoutError("timed out")
