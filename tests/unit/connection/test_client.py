# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the client handles responses, lost connections and redirects, with scripted servers on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.proxies import Proxies
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import connection_lost, unwelcome
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import Members
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    NotFound,
    NotReady,
    ServerError,
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import scrubbed
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.transport import pauses as pauses_of
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.chains import printed_with
from tests.support.pauses import instead_of_pauses

TOKEN = "s.client-canary-Qz7"

# Status, headers and body.
Answer = tuple[int, dict[str, str], bytes]


def answer(status: int, content: object = None, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


GOOD = answer(200, {"data": {"ok": True}})


class Scripted:
    """A server that sends the responses of a list, the last one repeatedly, and records the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, str | None]] = []
        self.logins: list[str] = []
        self.url = ""

    def next(self, method: str, path: str, token: str | None) -> Answer:
        if path == "/v1/sys/leader":  # it is the only server
            return answer(200, {"ha_enabled": False})
        self.asked.append((method, path, token))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def scripted_server() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.logins += self.headers.get_all("Authorization", [])
            status, headers, body = script.next(self.command, self.path, self.headers.get("X-Vault-Token"))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_LIST = do_DELETE = answer  # noqa: N815  the names are the base class's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  so is this one
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def other_server() -> Iterator[Scripted]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited, without waiting."""
    waited: list[float] = []
    instead_of_pauses(monkeypatch, waited.append)
    return waited


@pytest.fixture(params=["hvac", "plain"], autouse=True)
def sent_with(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever sends the requests, the client does the same."""
    monkeypatch.setitem(_SENT, "plain", request.param == "plain")


_SENT = {"plain": False}


def client(url: str, warnings: list[str] | None = None, **facts: Any) -> Client:
    warn = ([] if warnings is None else warnings).append
    return Client(Connection(url=url, **facts), warn, token=TOKEN, plain=_SENT["plain"])


def failure(call: Callable[[], object]) -> TransitError:
    with pytest.raises(TransitError) as error:
        call()
    assert TOKEN not in error.value.message
    assert printed_with(error.value) == [], "another exception may hold a body"
    return error.value


# --- responses ---


@pytest.mark.parametrize(
    ("given_answer", "reply"),
    [
        (answer(200, {"data": {"a": 1}}), Reply({"a": 1})),
        (answer(200, {"data": {"a": 1}, "warnings": ["w"]}), Reply({"a": 1}, warnings=("w",))),
        (answer(200, {"data": None, "auth": {"client_token": "t"}}), Reply({}, {"client_token": "t"})),
        (answer(200, {"data": None, "wrap_info": {"token": "t"}}), Reply(wrap={"token": "t"})),
        (answer(204), Reply()),
    ],
)
def test_a_successful_answer(server: Scripted, given_answer: Answer, reply: Reply) -> None:
    server.answers = [given_answer]
    assert client(server.url).post("transit/keys/ml", {"type": "hmac"}) == reply
    assert server.asked == [("POST", "/v1/transit/keys/ml", TOKEN)]


def test_each_verb_and_the_headers(server: Scripted) -> None:
    server.answers = [GOOD]
    talking = client(server.url)
    talking.get("a", {"b": "c d"})
    talking.list("a")
    talking.delete("a")
    talking.token = ""
    talking.get("a")
    assert server.asked == [
        ("GET", "/v1/a?b=c+d", TOKEN),
        ("LIST", "/v1/a", TOKEN),
        ("DELETE", "/v1/a", TOKEN),
        ("GET", "/v1/a", None),
    ]


def test_nothing_of_a_netrc_is_sent(server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password of-another-service\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers = [GOOD]
    client(server.url).get("a")
    assert server.logins == []


def test_a_reply_does_not_show_its_data() -> None:
    assert "canary" not in repr(Reply({"plaintext": "canary"}, {"client_token": "canary"}, {"token": "canary"}))


NOT_OURS = "is not Vault or OpenBao (HTTP {status}, {kind}). Check url (BAO_ADDR), and what listens on its port."


@pytest.mark.parametrize(
    ("method", "given_answer", "kind"),
    [
        ("GET", answer(200, b"<html>Welcome</html>", Content_Type="text/html"), "text/html"),
        ("GET", answer(404, b"<html>Not here</html>", Content_Type="text/html"), "text/html"),
        ("GET", answer(200, [1]), "application/json"),
        ("GET", answer(200, {"message": "hello"}), "application/json"),
        ("GET", answer(200), "application/json"),
        ("GET", answer(404), "application/json"),
        ("GET", answer(404, {"message": "not found"}), "application/json"),
        ("POST", answer(201, {"id": 5}), "application/json"),
        ("DELETE", answer(404, {}), "application/json"),
        ("POST", answer(500, b"oops"), "application/json"),
    ],
)
def test_a_response_of_another_server_is_rejected(
    server: Scripted, method: str, given_answer: Answer, kind: str
) -> None:
    server.answers = [given_answer]
    error = failure(lambda: client(server.url).request(method, "transit/keys/ml"))
    assert error.__class__ is ServerUnreachable
    behind = " If it is a proxy or a load balancer, check the servers behind it." if given_answer[0] >= 500 else ""
    said = f"The server at {server.url} {NOT_OURS.format(status=given_answer[0], kind=kind)}{behind}"
    assert error.message == f"{said} Check: mlkeys doctor."


def test_a_proxy_that_refuses_a_request_because_of_its_size_is_named(server: Scripted) -> None:
    page = b"<html><h1>413 Request Entity Too Large</h1></html>"
    server.answers = [answer(413, page, Content_Type="text/html")]
    error = failure(lambda: client(server.url).post("transit/encrypt/ml", {}))
    assert isinstance(error, ServerError)
    assert (error.status, error.not_applied) == (413, True)
    assert error.message.startswith(
        f"What is before the server at {server.url} refused a request to 'transit/encrypt/ml' because of its "
    )


def test_many_values_pass_a_proxy_that_allows_little_at_once(server: Scripted) -> None:
    refused = answer(413, b"too large", Content_Type="text/plain")
    made = ["vault:v1:YQ==", "vault:v1:Yg=="]
    server.answers = [refused, *(answer(200, {"data": {"batch_results": [{"hmac": text}]}}) for text in made), refused]
    transit = Transit(client(server.url), "transit")
    assert transit.hmac("ml", [Item(b"1"), Item(b"2")]) == made
    assert failure(lambda: transit.hmac("ml", [Item(b"1")])).message.startswith("What is before the server at ")


def test_a_missing_key_is_not_mismistaken_for_another_server(server: Scripted) -> None:
    server.answers = [answer(404, {"errors": []})]
    assert failure(lambda: client(server.url).get("transit/keys/ml")).__class__ is NotFound


HTTPS = "Start url (BAO_ADDR) with https://. Check: mlkeys doctor."


def test_http_to_an_https_port(server: Scripted) -> None:
    server.answers = [answer(400, b"Client sent an HTTP request to an HTTPS server.\n", Content_Type="text/plain")]
    error = failure(lambda: client(server.url).get("a"))
    assert error.message == f"The server at {server.url} expects HTTPS. {HTTPS}"


def test_only_the_errors_of_a_failed_batch_are_kept(server: Scripted) -> None:
    results = [{"plaintext": "c2VjcmV0LWNhbmFyeQ=="}, {"error": "bad value c2VudC1jYW5hcnk="}]
    server.answers = [answer(400, {"data": {"batch_results": results}})]
    with pytest.raises(ServerError) as error:
        client(server.url).post("transit/decrypt/ml", {"batch_input": [{"ciphertext": "c2VudC1jYW5hcnk="}]})
    assert error.value.item_errors == ("", "bad value ***")
    assert "c2VjcmV0" not in str(vars(error.value))


# --- messages repeat no sent value ---


@pytest.mark.parametrize(
    ("reason", "body", "shown"),
    [
        ("bad value 'hunter22'", {"password": "hunter22"}, "bad value '***'"),
        ("bad value 'hunter22'", {"batch_input": [{"plaintext": "hunter22"}]}, "bad value '***'"),
        ("bad: abcdefgh", {"short": "abcd", "long": "abcdefgh"}, "bad: ***"),
        ("cannot be 1", {"n": 1, "flag": True, "nothing": None}, "cannot be 1"),
        ("an aes key", {"type": "aes"}, "an aes key"),
        ("as it is", None, "as it is"),
    ],
)
def test_sent_values_are_removed_from_the_servers_words(reason: str, body: object, shown: str) -> None:
    assert scrubbed(reason, body) == shown


@given(st.lists(st.text(alphabet="abcdef", min_size=4, max_size=12), max_size=4), st.text(alphabet="ghi ", max_size=5))
@example(["abcd", "abcdefab"], " ")
def test_no_sent_value_is_left(sent: list[str], between: str) -> None:
    reason = between + between.join(sent) + between
    shown = scrubbed(reason, {"batch_input": [{"plaintext": text} for text in sent]})
    assert not any(text in shown for text in sent)


def test_a_refusal_that_repeats_a_sent_value_is_scrubbed(server: Scripted) -> None:
    server.answers = [answer(400, {"errors": ["illegal value c2VudC1jYW5hcnk="]})]
    error = failure(lambda: client(server.url).post("a", {"plaintext": "c2VudC1jYW5hcnk="}))
    assert error.message == (
        f"The server refused 'a' (HTTP 400). The server said: illegal value ***. Asked: {server.url}, the root "
        "namespace. Check: bao path-help a."
    )


# --- redirects ---


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_the_active_node_is_followed_and_kept(
    server: Scripted, other_server: Scripted, status: int
) -> None:
    server.answers = [answer(status, Location=f"{other_server.url}/v1/a")]
    other_server.answers = [GOOD]
    talking = client(server.url)
    assert talking.post("a", {"x": "y"}).data == {"ok": True}
    assert talking.get("b").data == {"ok": True}
    assert server.asked == [("POST", "/v1/a", TOKEN)]
    assert other_server.asked == [("POST", "/v1/a", TOKEN), ("GET", "/v1/b", TOKEN)]


def test_two_servers_that_redirect_to_each_other(server: Scripted, other_server: Scripted) -> None:
    server.answers = [answer(307, Location=f"{other_server.url}/v1/a")]
    other_server.answers = [answer(307, Location=f"{server.url}/v1/a")]
    error = failure(lambda: client(server.url).get("a"))
    assert error.__class__ is ServerUnreachable
    assert error.message == (
        f"The server at {other_server.url} redirects to '{server.url}/v1/a'; the redirect was not followed. "
        "Check url and the api_addr of the servers."
    )
    assert len(server.asked) == len(other_server.asked) == 1


@pytest.mark.parametrize(
    ("status", "location"),
    [(307, ""), (307, "/v1/elsewhere"), (301, "http://127.0.0.2:1/"), (302, "https://sso.example.com/login")],
)
def test_other_redirects_are_not_followed(server: Scripted, status: int, location: str) -> None:
    server.answers = [answer(status, b"<html>", Location=location)]
    error = failure(lambda: client(server.url).get("a"))
    assert error.__class__ is ServerUnreachable
    assert f"redirects to '{location}'; the redirect was not followed" in error.message
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("here", "location", "there"),
    [
        ("https://a:8200", "https://b:8200/v1/x", "https://b:8200"),
        ("http://a:8200", "http://b:8200/v1/x", "http://b:8200"),
        ("http://a:8200", "https://b:8200/v1/x", "https://b:8200"),
        ("https://a:8200", "http://b:8200/v1/x", None),
        ("https://a:8200", "ftp://b/v1/x", None),
        ("https://a:8200", "//b:8200/v1/x", None),
        ("https://a:8200", "https://a:8200/v1/x", None),
        ("https://a:8200", "/v1/x", None),
        ("https://a:8200", "", None),
    ],
)
def test_the_token_never_goes_from_https_down_to_http(here: str, location: str, there: str | None) -> None:
    members = Members([here])
    assert members.follow(location) is (there is not None)
    assert members.address == (there or here)


# --- lost connections and retries ---


@contextlib.contextmanager
def listening(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that calls `behave` for every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    connection, _address = listener.accept()
                    with connection:
                        connection.recv(65536)
                        behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def status(url: str) -> str:
    return f"Check: bao status -address={url}."


def unreached(url: str) -> str:
    return f"Check url (BAO_AGENT_ADDR, BAO_ADDR, VAULT_ADDR) and that the server is running. {status(url)}"


def test_a_refused_connection() -> None:
    url = unused_url()
    error = failure(lambda: client(url).get("a"))
    assert error.__class__ is ServerUnreachable
    assert error.message == f"Cannot reach the server at {url}: connection refused. {unreached(url)}"


def test_a_name_that_does_not_resolve() -> None:
    url = "http://bao.invalid:8200"
    error = failure(lambda: client(url).get("a"))
    assert error.message == f"Cannot reach the server at {url}: its name does not resolve. {unreached(url)}"


def test_a_lost_connection() -> None:
    with listening(lambda connection: connection.close()) as url:
        error = failure(lambda: client(url).get("a"))
    assert error.message == f"Cannot reach the server at {url}: the connection was lost. {unreached(url)}"


def test_a_connection_with_tls_that_is_lost_may_lack_a_client_certificate() -> None:
    """With TLS 1.3, a server closes it before its refusal is read."""
    url, text = "https://bao.test", repr(ConnectionResetError(104, "Connection reset by peer"))
    said = connection_lost(Connection(url=url), url, text)
    lost = f"the connection was lost. {unreached(url).partition(' Check:')[0]}"
    assert said.startswith(
        f"{lost} If it is, it may require a client certificate. Set client_cert and client_key (BAO_"
    )
    assert connection_lost(Connection(url="http://a"), "http://a", text) == lost
    for known in ("Connection refused", "timed out"):
        assert unwelcome(Connection(url=url), url, known) == ""


def test_a_response_that_does_not_come() -> None:
    free = threading.Event()

    def behave(_connection: socket.socket) -> None:
        free.wait()

    with listening(behave) as url:
        error = failure(lambda: client(url, timeout=1).get("a"))
        free.set()
    assert error.message == f"Cannot reach the server at {url}: no response within 1 seconds. {unreached(url)}"


@pytest.mark.parametrize("url", ["http://", "http://a b", "http://[::1"])
def test_an_invalid_url(url: str) -> None:
    error = failure(lambda: client(url).get("a"))
    assert error.__class__ is ServerUnreachable
    assert error.message.startswith(f"Cannot reach the server at {url}: url is invalid (")


def test_an_unreachable_proxy(server: Scripted) -> None:
    proxy = unused_url()
    error = failure(lambda: client(server.url, proxies=Proxies((("all", proxy),))).get("a"))
    assert error.message == (
        f"Cannot reach the server at {server.url}: the proxy {proxy} refused the connection or does not respond. "
        f"Check proxies. {status(server.url)}"
    )


@pytest.mark.parametrize(
    ("options", "environment", "source"),
    [
        ({}, {"https_proxy": "P"}, "https_proxy and NO_PROXY"),
        ({}, {"https_proxy": "http://elsewhere:1", "HTTPS_PROXY": "P"}, "HTTPS_PROXY and NO_PROXY"),
        ({}, {"VAULT_PROXY_ADDR": "P", "HTTPS_PROXY": "http://elsewhere:1"}, "proxies (VAULT_PROXY_ADDR)"),
        ({"proxies": "P"}, {"BAO_HTTP_PROXY": "P"}, "proxies (BAO_HTTP_PROXY)"),
        ({"proxies": "P"}, {"BAO_HTTP_PROXY": "http://elsewhere:1"}, "proxies"),
        ({"proxies": {"https": "P"}}, {}, "proxies"),
    ],
)
def test_what_set_a_proxy_that_is_away_is_named(
    options: Mapping[str, Any], environment: Mapping[str, str], source: str
) -> None:
    proxy = unused_url()

    def named(given: Mapping[str, Any]) -> dict[str, Any]:
        """With the URL of the proxy in place of P, and a login in it."""
        url = proxy.replace("://", "://user:hunter2@")
        found: dict[str, Any] = json.loads(json.dumps(given).replace('"P"', json.dumps(url)))
        return found

    chosen = settings_from({"url": "https://bao.test:8200", **named(options)}, named(environment))
    error = failure(lambda: Client(chosen.connection, print, TOKEN, plain=_SENT["plain"]).get("a"))
    refused = f": the proxy {proxy} refused the connection or does not respond. Check {source}. "
    assert error.message.endswith(refused + status("https://bao.test:8200"))
    assert "hunter2" not in error.message


def test_the_environment_has_no_say_about_a_proxy_that_was_set(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    server.answers = [GOOD]
    found = settings_from({"url": server.url, "proxies": unused_url()}, os.environ).connection
    error = failure(lambda: client(server.url, proxies=found.proxies).get("a"))
    assert "refused the connection or does not respond" in error.message


def test_no_proxy_of_the_environment_is_used_for_this_machine(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, unused_url())
    server.answers = [GOOD]
    found = settings_from({"url": server.url}, os.environ).connection
    assert client(server.url, proxies=found.proxies).get("a").data == {"ok": True}


def test_temporary_failures_are_retried(server: Scripted, pauses: list[float]) -> None:
    server.answers = [answer(503, {"errors": ["Vault is sealed"]}), answer(429, {"errors": []}, Retry_After="7"), GOOD]
    warnings: list[str] = []
    assert client(server.url, warnings, retries={"total": 3}).get("a").data == {"ok": True}
    assert len(server.asked) == 3
    assert pauses == [0, 7]
    assert [warning.partition(".")[0] for warning in warnings] == [
        "Retrying: The server is not ready for 'a': Vault is sealed",
        "Retrying: The server's rate limit was exceeded at 'a': too many requests",
    ]


def test_retries_without_warnings(server: Scripted, pauses: list[float]) -> None:
    server.answers = [answer(502, {"errors": ["bad gateway"]}), GOOD]
    warnings: list[str] = []
    client(server.url, warnings, retries={"total": 1}, warn_on_retry=False).get("a")
    assert warnings == []


@pytest.mark.parametrize(
    "failed",
    [
        answer(500, {"errors": ["internal error"]}),
        answer(500),
        answer(503, b"<html></html>", Content_Type="text/html"),
        answer(429),
        answer(504),
    ],
)
def test_what_the_servers_client_sends_again_is_sent_again(
    server: Scripted, pauses: list[float], failed: Answer
) -> None:
    """But nothing that must not happen twice."""
    server.answers = [failed, GOOD]
    assert client(server.url, retries={"total": 3}).get("a").data == {"ok": True}
    server.answers = [failed, GOOD]
    failure(lambda: client(server.url, retries={"total": 3}).post("a", {}, repeatable=False))


def test_retries_end(server: Scripted, pauses: list[float]) -> None:
    server.answers = [answer(503, {"errors": ["Vault is sealed"]})]
    assert failure(lambda: client(server.url, retries={"total": 2}).get("a")).__class__ is NotReady
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 413, 501])
def test_permanent_failures_are_not_retried(server: Scripted, pauses: list[float], status: int) -> None:
    server.answers = [answer(status, {"errors": ["no"]})]
    failure(lambda: client(server.url, retries={"total": 3}).get("a"))
    assert len(server.asked) == 1


def test_an_unrepeatable_request_is_sent_once(server: Scripted, pauses: list[float]) -> None:
    server.answers = [answer(503, {"errors": ["no leader"]}), GOOD]
    failure(lambda: client(server.url, retries={"total": 3}).post("a", {}, repeatable=False))
    assert len(server.asked) == 1


def test_a_refused_connection_is_retried(pauses: list[float]) -> None:
    url = unused_url()
    failure(lambda: client(url, retries={"total": 2, "backoff_factor": 1}).get("a"))
    assert pauses == [0, 2]


@pytest.mark.parametrize(
    ("retries", "waits"),
    [
        ({}, []),
        ({"total": 0}, []),
        ({"total": False}, []),
        ({"total": 1}, [0]),
        ({"total": 4, "backoff_factor": 0.5}, [0, 1, 2, 4]),
        ({"total": 4}, [0, 0.6, 1.2, 2.4]),
        ({"total": 3, "backoff_factor": 100, "backoff_max": 5}, [0, 5, 5]),
    ],
)
def test_pauses_between_retries(retries: dict[str, object], waits: list[float]) -> None:
    assert list(pauses_of(retries)) == pytest.approx(waits)


def test_a_number_of_retries_waits_as_long_as_the_client_of_the_server(
    server: Scripted, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        drawn.append((least, most))
        return (least + most) / 2

    monkeypatch.setattr("random.uniform", draw)
    server.answers = [*[answer(503, {"errors": ["no leader"]})] * 3, GOOD]
    client(server.url, retries=3).get("a")
    assert pauses == [1.25, 2.5, 3.75]
    assert set(drawn) == {(1, 1.5)}


@pytest.mark.parametrize("retries", [{"bogus": 1}, {"total": "x"}, {"total": [1]}])
def test_invalid_retries(retries: dict[str, object]) -> None:
    with pytest.raises(InvalidOption) as error:
        client("http://127.0.0.1:1", retries=retries)
    assert error.value.message == ("retries: invalid arguments for urllib3.util.Retry. Check their names and values.")
    assert printed_with(error.value) == []


CONFLICT = answer(500, {"errors": ["transaction commit failed"]})


def test_a_request_that_lost_against_another_one_is_sent_again(server: Scripted) -> None:
    server.answers = [CONFLICT, CONFLICT, GOOD]
    assert client(server.url).post("transit/config/keys", {}).data == {"ok": True}
    assert len(server.asked) == 3


def test_but_not_forever_and_not_what_must_not_happen_twice(server: Scripted) -> None:
    server.answers = [CONFLICT]
    with pytest.raises(ServerError, match="transaction commit failed"):
        client(server.url).post("transit/config/keys", {})
    assert len(server.asked) == 6
    with pytest.raises(ServerError, match="transaction commit failed"):
        client(server.url).post("transit/keys/ml/rotate", {}, repeatable=False)
    assert len(server.asked) == 7
