# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose answers do not end, and what errors show of addresses and names."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways import limits
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.proxies import Proxies
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unwrap import Wrapped
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import (
    all_printable,
    one_line,
    printable,
    without_login,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b'Content-Length: 18\r\n\r\n{"data": {"a": 1}}'

Send = Callable[[bytes], None]


@contextlib.contextmanager
def server(behave: Callable[[Send], None], seen: list[bytes] | None = None) -> Iterator[str]:
    """A server that answers every request by ``behave``, until the client goes away.

    Args:
        seen: gets the requests.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                request = connection.recv(65536)
                if seen is not None:
                    seen.append(request)
                behave(connection.sendall)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def dripping(*beginning: bytes) -> Callable[[Send], None]:
    def behave(send: Send) -> None:
        for part in beginning:
            send(part)
        while True:
            send(b" ")
            time.sleep(0.1)

    return behave


DRIPPING = {
    "body": dripping(HEAD, b"\r\n", b'{"data": '),
    "body with length": dripping(HEAD, b"Content-Length: 100000\r\n\r\n"),
    "headers": dripping(HEAD, b"X-Other:"),
    "status": dripping(b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("behave", DRIPPING.values(), ids=DRIPPING)
def test_a_server_that_drips_is_ended_by_timeout(behave: Callable[[Send], None]) -> None:
    start = time.monotonic()
    with server(behave) as url, pytest.raises(ServerUnreachable, match="no response within 1 seconds"):
        Client(Connection(url=url, timeout=1), print).request("GET", "a")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("chunks", [b"5\r\n{", b"zz\r\n{}"], ids=["cut", "damaged"])
def test_a_response_that_ends_before_its_end_is_a_lost_connection(chunks: bytes) -> None:
    answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    sent: list[bytes] = []

    def behave(send: Send) -> None:
        # The second time it is whole.
        sent.append(GOOD if sent else answer)
        send(sent[-1])

    with server(behave) as url:
        with pytest.raises(ServerUnreachable, match="the connection was lost"):
            Client(Connection(url=url, timeout=5), print).request("GET", "a")
        sent.clear()
        tries = {"total": 1, "backoff_factor": 0}
        reply = Client(Connection(url=url, timeout=5, retries=tries, warn_on_retry=False), print).request("GET", "a")
    assert (len(sent), reply.number("a")) == (2, 1)


@pytest.mark.parametrize("behave", [DRIPPING["body"], DRIPPING["headers"]], ids=["body", "headers"])
def test_a_server_is_ended_by_timeout_where_no_thread_starts(
    behave: Callable[[Send], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since Python 3.12 none starts while the interpreter ends, and logins are revoked then."""

    def refuse(_timer: threading.Timer) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    before = signal.getsignal(signal.SIGALRM)
    with server(behave) as url, pytest.raises(ServerUnreachable, match="no response within 1 seconds"):
        Client(Connection(url=url, timeout=1), print).request("GET", "a")
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with server(lambda send: send(GOOD)) as url:
        assert Client(Connection(url=url, timeout=1), print).request("GET", "a").data == {"a": 1}
        with ThreadPool(1) as threads:
            got = threads.apply(Client(Connection(url=url, timeout=1), print).request, ("GET", "a"))
        assert got.data == {"a": 1}


def test_the_next_request_has_time_of_its_own() -> None:
    behaviours: Iterator[Callable[[Send], None]] = iter([DRIPPING["body"], lambda send: send(GOOD)])

    def behave(send: Send) -> None:
        next(behaviours)(send)

    with server(behave) as url:
        client = Client(Connection(url=url, timeout=1), print)
        with pytest.raises(ServerUnreachable):
            client.request("GET", "a")
        assert client.request("GET", "a").data == {"a": 1}


def test_an_answer_without_end_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RESPONSE", 1_000_000)
    sent = []

    def endless(send: Send) -> None:
        send(HEAD + b'\r\n{"data": "')
        while True:
            send(b"k" * 100_000)
            sent.append(100_000)

    with server(endless) as url, pytest.raises(ServerUnreachable, match="is too large"):
        Client(Connection(url=url, timeout=20), print).request("GET", "a")
    assert sum(sent) < 20_000_000


def compressed(size: int) -> bytes:
    stream = zlib.compressobj(9, wbits=31)
    parts = [stream.compress(b'{"data": {"a": "'), *(stream.compress(b"a" * 1_000_000) for _ in range(size))]
    return b"".join([*parts, stream.compress(b'"}}'), stream.flush()])


@pytest.mark.parametrize("plain", [False, True], ids=["hvac", "Python alone"])
def test_an_answer_that_is_compressed_is_refused_as_it_was_sent(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = compressed(1)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content)
    # The first byte more than was sent would be one that is decompressed.
    monkeypatch.setattr(limits, "MAX_RESPONSE", len(content))
    sent: list[bytes] = []
    with server(lambda send: send(head + content), seen=sent) as url:
        client = Client(Connection(url=url, timeout=20), print, plain=plain)
        with pytest.raises(ServerUnreachable, match=r"is compressed \(gzip\), which mlkeys does not accept"):
            client.request("GET", "a")
    assert b"\r\naccept-encoding: identity\r\n" in sent[0].lower()


@pytest.mark.parametrize("behave", DRIPPING.values(), ids=DRIPPING)
def test_unwrapping_is_ended_by_timeout(behave: Callable[[Send], None]) -> None:
    start = time.monotonic()
    with server(behave) as url, pytest.raises(ServerUnreachable, match="no response in time"):
        Wrapped(Connection(url=url, timeout=1), "s.token").unwrap()
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_wrapping_token_is_not_sent_wherever_a_server_redirects(status: int) -> None:
    """Only to the active node of the cluster that a standby names, as other requests."""
    asked = []

    def elsewhere(send: Send) -> None:
        asked.append(status)
        send(GOOD)

    with server(elsewhere) as target:

        def redirect(send: Send) -> None:
            send(f"HTTP/1.1 {status} Go\r\nLocation: {target}/v1/b\r\nContent-Length: 0\r\n\r\n".encode())

        with server(redirect) as url:
            wrapped = Wrapped(Connection(url=url, timeout=5), "s.token")
            if status in (307, 308):
                assert wrapped.unwrap() == {"a": 1}
            else:
                with pytest.raises(ServerUnreachable, match=f"it redirects to '{target}/v1/b'"):
                    wrapped.unwrap()
    assert len(asked) == (1 if status in (307, 308) else 0)


def test_unwrapping_follows_no_circle() -> None:
    def redirect(send: Send) -> None:
        send(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2:1/v1/b\r\nContent-Length: 0\r\n\r\n")

    with server(redirect) as url, pytest.raises(ServerUnreachable, match="Cannot reach the server"):
        Wrapped(Connection(url=url, timeout=5), "s.token").unwrap()


def test_unwrapping_reads_no_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RESPONSE", 10)
    with server(lambda send: send(GOOD)) as url, pytest.raises(ServerUnreachable, match="its answer is too large"):
        Wrapped(Connection(url=url, timeout=20), "s.token").unwrap()


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "its answer is not HTTP"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", r"it is not Vault or OpenBao \(HTTP 200\)"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", r"it is not Vault or OpenBao \(HTTP 404\)"),
        (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", r"it is not Vault or OpenBao \(HTTP 407\)"),
    ],
)
def test_what_is_not_the_server_is_named_when_a_token_is_unwrapped(sent: bytes, problem: str) -> None:
    with server(lambda send: send(sent)) as url, pytest.raises(ServerUnreachable, match=problem):
        Wrapped(Connection(url=url, timeout=5), "s.token").unwrap()


def test_a_proxy_is_used_for_unwrapping_as_for_everything_else() -> None:
    with server(lambda send: send(GOOD)) as proxy:
        through = Connection(url="http://bao.test:1", proxies=Proxies((("http", proxy),)), timeout=5)
        assert Wrapped(through, "s.token").unwrap() == {"a": 1}
    through = Connection(url="http://bao.test:1", proxies=Proxies((("http", "socks5://127.0.0.1:1"),)), timeout=5)
    with pytest.raises(ServerUnreachable, match="no response"):
        Wrapped(through, "s.token").unwrap()


# Python's own client leaves its socket open when a proxy refuses.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_refuses_is_named_when_a_token_is_unwrapped() -> None:
    with server(lambda send: send(b"HTTP/1.1 403 No\r\n\r\n")) as proxy:
        through = Connection(url="https://bao.test:1", proxies=Proxies((("https", proxy),)), timeout=5)
        with pytest.raises(ServerUnreachable, match=f"the proxy {proxy} refused the connection .* Check proxies"):
            Wrapped(through, "s.token").unwrap()
    gc.collect()


def test_a_connection_that_was_not_made_yet_is_not_ended() -> None:
    """Then its own limit ends it, and it is certain that nothing was sent."""
    watch = limits.Watch()
    with watch.running(0.01):
        time.sleep(0.1)
        assert not watch.passed
        one, other = socket.socketpair()
        with one, other:
            watch.watch(SimpleNamespace(socket=one))
            assert watch.passed
            assert other.recv(1) == b""


# What errors show


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:SECRET//x@127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://user:p@ss@host:1", "http://host:1"),
        ("https://user:p/w@host", "https://host"),
        ("user:password@host", "host"),
        ("https://user:password%40host", "https://host"),
        ("https://host:8200", "https://host:8200"),
        ("https://host:8200/?token=SECRET", "https://host:8200/"),
        ("https://u:SEC?RET@host#SECRET", "https://host"),
        ("https://host?mail=me@host&token=SECRET", "https://host"),
        # What is not an address is not shown where it may be a secret.
        ("bao.example.com:8200", "bao.example.com:8200"),
        ("[::1]:8200", "[::1]:8200"),
        ("https:/host", "https:/host"),
        ("hvs.CAESIJzQ7xZ9vB3nM5kL1pW", "***"),
        ("not a place", "***"),
    ],
)
def test_a_url_without_login(url: str, shown: str) -> None:
    assert without_login(url) == shown


def test_no_error_repeats_the_login_of_a_url() -> None:
    def refused(call: Callable[[], object]) -> str:
        with pytest.raises(TransitError) as error:
            call()
        return error.value.message

    with server(lambda send: send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) as url:
        address = url.replace("//", "//user:hunter2@")
        elsewhere = Connection(url="http://user:hunter2@127.0.0.1:1", timeout=1)
        messages = [
            refused(lambda: Client(Connection(url=address), print).request("GET", "a")),
            refused(lambda: Client(elsewhere, print).request("GET", "a")),
            refused(lambda: Wrapped(elsewhere, "s.token").unwrap()),
            refused(lambda: settings_from({"url": "ftp://user:hunter2@host"}, {})),
        ]
    assert [message for message in messages if "hunter2" in message or "user" in message] == []
    assert all("127.0.0.1" in message or "ftp://host" in message for message in messages)


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[2Jb\r\x07\x9b\u202ec\nd é 鍵") == "a\\x1b[2Jb\\r\\x07\\x9b\\u202ec\nd é 鍵"
    assert all_printable({"\x1b": ["\x07", {"a": 1}]}) == {"\\x1b": ["\\x07", {"a": 1}]}
    assert all_printable(["nl\nfatal: [h1]: FAILED"]) == ["nl\\nfatal: [h1]: FAILED"]
    assert InvalidOption("the file \x1b]0;x\x07").message == "the file \\x1b]0;x\\x07"


def test_no_name_begins_a_line_of_its_own_in_an_error() -> None:
    assert InvalidOption("the key 'a\nOK: [all]'").message == "the key 'a\\nOK: [all]'"
    failed = InvalidOption("x.").after(["key 'a\n\x1b[2J'"])
    assert (failed.message, str(failed)) == (failed.args[0], "x. Already done: key 'a\\n\\x1b[2J'.")
    assert one_line("a\nb\r\n") == "a\\nb\\r\\n"
