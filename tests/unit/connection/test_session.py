# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: how long a token is used, who gets it, and who revokes it. The server is a list of requests."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import Lease
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import Sessions, connected
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

# Workers are forked beside the thread that answers them. These tests show that this works.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

FORK = multiprocessing.get_context("fork")
LIMIT = 20.0


def settings(name: str = "one", *, revoke: bool = True, method: str = "approle") -> Settings:
    return Settings(Connection(url=f"http://{name}.test"), Auth(method=method, role_id=name, token_revoke=revoke))


def warn(message: str) -> None:
    raise AssertionError(message)


@dataclass
class Server:
    """Returns `next` with a token that names the process that asked and the number of requests."""

    asked: list[str] = field(default_factory=list)
    next: Lease = field(default_factory=lambda: Lease(created=True))
    renewal: Lease | TransitError = field(default_factory=lambda: Unauthenticated("no"))
    refusal: TransitError | None = None
    now: float = 1000.0
    pause: float = 0.0
    takes: float = 0.0

    def log_in(self, _client: Client, auth: Auth, _now: float) -> Lease:
        self.asked.append("login")
        self.now += self.takes
        time.sleep(self.pause)
        if self.refusal is not None:
            raise self.refusal
        return replace(self.next, token=f"{auth.role_id}-{os.getpid()}-{len(self.asked)}")

    def renew(self, client: Client, _now: float) -> Lease:
        self.asked.append(f"renew {client.token}")
        if isinstance(self.renewal, TransitError):
            raise self.renewal
        return replace(self.renewal, token=client.token)

    def revoke(self, client: Client, _warn: Callable[[str], None]) -> None:
        self.asked.append(f"revoke {client.token}")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    for name in ("log_in", "renew", "revoke"):
        monkeypatch.setattr(session, name, getattr(made, name))
    monkeypatch.setattr(session, "_of_this_run", [])
    return made


@pytest.fixture
def clock(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The same server, whose `now` replaces the clock."""

    class Time:
        sleep = staticmethod(time.sleep)
        time = staticmethod(lambda: server.now)

    monkeypatch.setattr(session, "time", Time)
    return server


@pytest.fixture
def sessions(server: Server) -> Iterator[Sessions]:
    made = Sessions()
    yield made
    made.close()
    if made._listener is not None:
        made._listener.close()


def token(sessions: Sessions, wanted: Settings | None = None) -> str:
    return sessions.lease(wanted or settings(), warn).token


# --- several plays of one command ---


def test_a_play_asks_the_command_that_runs_it(server: Server, sessions: Sessions) -> None:
    assert sessions.invitation() == ""
    sessions.share()
    play = Sessions()
    play.follow(sessions.invitation())
    assert token(play) == token(sessions) == f"one-{os.getpid()}-1"
    # The command uses it for the next play.
    play.close()
    assert server.asked == ["login"]
    sessions.close()
    assert server.asked == ["login", f"revoke one-{os.getpid()}-1"]


@pytest.mark.parametrize("invitation", ["", "nonsense", "/nowhere:zz", "/nowhere:abcd", ":abcd"])
def test_a_play_without_a_command_that_answers_logs_in(server: Server, sessions: Sessions, invitation: str) -> None:
    sessions.follow(invitation)
    token(sessions)
    sessions.close()
    assert server.asked == ["login", f"revoke one-{os.getpid()}-1"]


# --- how long a token is used ---


def test_nothing_is_requested_before_someone_asks(server: Server, sessions: Sessions) -> None:
    sessions.share()
    sessions.close()
    assert server.asked == []


def test_equal_settings_share_a_login_and_a_client(server: Server, sessions: Sessions) -> None:
    first = sessions.client(settings(), warn)
    assert sessions.client(settings(), warn) is first
    assert first.token == token(sessions)
    assert server.asked == ["login"]


@pytest.mark.parametrize(
    "other",
    [
        settings("two"),
        Settings(Connection(url="http://one.test", namespace="team"), settings().auth),
        Settings(Connection(url="http://one.test"), replace(settings().auth, secret_id="s")),
        Settings(Connection(url="http://one.test", retries={"total": 3}), settings().auth),
    ],
    ids=["another server", "a namespace", "other credentials", "more retries"],
)
def test_other_settings_have_a_login_of_their_own(server: Server, sessions: Sessions, other: Settings) -> None:
    for _use in range(2):
        assert token(sessions) != token(sessions, other)
    assert server.asked == ["login", "login"]


def lasting(seconds: float, *, renewable: bool = True) -> Lease:
    return Lease(created=True, expires=1000.0 + seconds, duration=int(seconds), renewable=renewable)


def test_a_token_is_used_until_a_tenth_of_its_lifetime_is_left(clock: Server, sessions: Sessions) -> None:
    clock.next = lasting(100)
    first = token(sessions)
    clock.now = 1089.0
    assert token(sessions) == first
    assert clock.asked == ["login"]


def test_an_expiring_token_is_renewed_and_revoked_once(clock: Server, sessions: Sessions) -> None:
    clock.next = lasting(100)
    clock.renewal = lasting(200)
    first = token(sessions)
    clock.now = 1091.0
    assert token(sessions) == first
    assert token(sessions) == first
    sessions.close()
    assert clock.asked == ["login", f"renew {first}", f"revoke {first}"]


@pytest.mark.parametrize(
    ("renewable", "renewal"),
    [
        (False, lasting(500)),
        (True, Unauthenticated("gone")),
        (True, lasting(91.5)),
        (True, Lease(created=True, renewable=True)),
    ],
    ids=["not renewable", "refused", "not extended", "with a duration of zero"],
)
def test_a_token_that_cannot_be_renewed_is_replaced(
    clock: Server, sessions: Sessions, renewable: bool, renewal: Lease | TransitError
) -> None:
    clock.next = lasting(100, renewable=renewable)
    clock.renewal = renewal
    first = token(sessions)
    clock.now = 1091.0
    clock.next = lasting(500)
    second = token(sessions)
    assert second != first
    assert token(sessions) == second
    sessions.close()
    asked = [request for request in clock.asked if not request.startswith("renew")]
    assert asked == ["login", "login", f"revoke {first}", f"revoke {second}"]


def test_a_client_reads_no_state_older_than_its_login(server: Server, sessions: Sessions) -> None:
    server.next = Lease(created=True, index="after the login")
    client = sessions.client(settings(), warn)
    assert client.index == "after the login"
    client.not_before("another one's")
    assert client.index == "after the login"


def test_a_token_with_limited_uses_is_not_shared(server: Server, sessions: Sessions) -> None:
    server.next = Lease(created=True, shareable=False)
    tokens = {token(sessions) for _use in range(3)}
    assert len(tokens) == 3
    sessions.close()
    assert sorted(server.asked[3:]) == sorted(f"revoke {each}" for each in tokens)


# --- who revokes it ---


def test_only_tokens_of_logins_are_revoked_and_only_if_wanted(server: Server, sessions: Sessions) -> None:
    mine = token(sessions)
    server.next = Lease()
    token(sessions, settings("given", method="token"))
    server.next = Lease(created=True)
    token(sessions, settings("kept", revoke=False))
    sessions.close()
    sessions.close()
    assert server.asked == ["login"] * 3 + [f"revoke {mine}"]


def test_there_is_a_new_login_after_the_end(server: Server, sessions: Sessions) -> None:
    first = token(sessions)
    sessions.close()
    assert token(sessions) != first


def test_a_module_on_a_target_revokes_its_token(server: Server) -> None:
    with connected(settings(), warn) as client:
        mine = client.token
    assert server.asked == ["login", f"revoke {mine}"]


def test_a_failing_module_revokes_its_token(server: Server) -> None:
    with pytest.raises(TransitError), connected(settings(), warn):
        raise TransitError("it failed")
    assert [request.split()[0] for request in server.asked] == ["login", "revoke"]


def test_a_module_on_the_controller_keeps_the_runs_token(
    server: Server, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_of_this_run", [sessions])
    for _item in range(3):
        with connected(settings(), warn) as client:
            assert client.token == token(sessions)
    assert server.asked == ["login"]


# --- a server that does not respond ---


def test_a_server_that_timed_out_is_not_asked_again_soon(clock: Server, sessions: Sessions) -> None:
    clock.refusal = ServerUnreachable("no response within 30 seconds")
    clock.takes = 30.0
    for _worker in range(3):
        with pytest.raises(ServerUnreachable, match="no response within 30 seconds"):
            token(sessions)
    assert clock.asked == ["login"]
    clock.now += 61
    clock.refusal = None
    assert token(sessions)
    assert clock.asked == ["login", "login"]


def test_a_login_that_failed_quickly_is_retried(clock: Server, sessions: Sessions) -> None:
    clock.refusal = ServerUnreachable("connection refused")
    for _worker in range(2):
        with pytest.raises(ServerUnreachable):
            token(sessions)
    clock.refusal = None
    assert token(sessions)


# --- workers ---


def in_workers(count: int, work: Callable[[], str]) -> list[str]:
    """The results of so many forked processes that start together."""
    answers: multiprocessing.Queue[str] = FORK.Queue()
    begin = FORK.Event()

    def worker() -> None:
        begin.wait(LIMIT)
        try:
            answers.put(work())
        except TransitError as error:
            answers.put(f"{type(error).__name__}: {error.message}")

    workers = [FORK.Process(target=worker) for _number in range(count)]
    for process in workers:
        process.start()
    begin.set()
    found = [answers.get(timeout=LIMIT) for _number in range(count)]
    for process in workers:
        process.join(LIMIT)
        assert process.exitcode == 0
    return found


@pytest.fixture
def shared(sessions: Sessions) -> Sessions:
    sessions.follow_forks()
    sessions.share()
    return sessions


def test_fifty_workers_at_once_get_the_token_of_one_login(server: Server, shared: Sessions) -> None:
    server.pause = 0.2
    found = in_workers(50, lambda: token(shared))
    assert len(set(found)) == 1
    assert f"-{os.getpid()}-" in found[0]
    assert server.asked == ["login"]
    shared.close()
    assert server.asked == ["login", f"revoke {found[0]}"]


def test_workers_forked_later_inherit_the_token(server: Server, shared: Sessions) -> None:
    mine = token(shared)
    assert shared._listener is not None
    shared._listener.close()
    assert in_workers(3, lambda: token(shared)) == [mine] * 3


def test_a_refused_login_is_reported_to_the_worker(server: Server, shared: Sessions) -> None:
    server.refusal = Unauthenticated("wrong secret_id")

    def asks() -> str:
        # The server would accept its login now, but the worker does not try.
        server.refusal = None
        return token(shared)

    assert in_workers(1, asks) == ["Unauthenticated: wrong secret_id"]
    assert server.asked == ["login"]


@pytest.mark.parametrize("terminated", [False, True], ids=["by itself", "by the run"])
def test_without_sharing_each_worker_logs_in_and_revokes_its_token(
    server: Server, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, terminated: bool
) -> None:
    received, sent = FORK.Pipe(duplex=False)
    monkeypatch.setattr(session, "revoke", lambda client, _warn: sent.send(client.token))
    sessions.follow_forks()

    def work() -> str:
        mine = token(sessions)
        sent.send(mine)
        if terminated:
            os.kill(os.getpid(), signal.SIGTERM)
        return mine

    worker = FORK.Process(target=work)
    worker.start()
    heard: list[str] = []
    while len(heard) < 2 and received.poll(LIMIT):
        heard.append(received.recv())
    worker.join(LIMIT)
    assert worker.exitcode == (-signal.SIGTERM if terminated else 0)
    assert len(heard) == 2
    assert heard[0] == heard[1]
    assert f"-{os.getpid()}-" not in heard[0]
    assert server.asked == []


def test_a_worker_does_not_revoke_its_parents_token(server: Server, sessions: Sessions) -> None:
    sessions.follow_forks()
    mine = token(sessions)

    def close() -> str:
        sessions.close()
        return " ".join(server.asked)

    assert in_workers(1, close) == ["login"]
    sessions.close()
    assert server.asked == ["login", f"revoke {mine}"]


def test_each_configuration_of_workers_has_one_login(server: Server, shared: Sessions) -> None:
    for wanted in (settings("a"), settings("b")):
        found = in_workers(5, functools.partial(token, shared, wanted))
        assert len(set(found)) == 1
    assert server.asked == ["login", "login"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, tuple[str, ...]]]:
    """What a server was asked in this process: of which process, with which token, and what."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    monkeypatch.setattr(sys.modules[__name__], "_asked", found)
    return found


_asked: list[tuple[int, str, tuple[str, ...]]] = []
_clock: list[Server] = []


def ask(client: Client, questions: Sequence[str], _beside: Sequence[str]) -> list[bytes | str]:
    _asked.append((os.getpid(), client.token, tuple(questions)))
    if "refuse" in questions:
        raise TransitError("refused")
    return [f"no {one}" if one == "damaged" else f"{one}!".encode() for one in questions]


def ask_in_vain(client: Client, questions: Sequence[str], _beside: Sequence[str]) -> list[bytes | str]:
    _asked.append((os.getpid(), client.token, tuple(questions)))
    _clock[0].now += 60
    raise ServerUnreachable("no answer")


def test_workers_ask_the_server_once_for_all_of_them(
    server: Server, shared: Sessions, asked: list[tuple[int, str, tuple[str, ...]]]
) -> None:
    def answers(*questions: str) -> str:
        return repr(shared.answers(settings(), warn, ask, questions))

    assert set(in_workers(9, lambda: answers("a", "b", "a"))) == {"[b'a!', b'b!', b'a!']"}
    mine = token(shared)
    assert asked == [(os.getpid(), mine, ("a", "b"))]
    # What it knows is not asked again, what has no answer is.
    assert set(in_workers(2, lambda: answers("b", "c", "damaged"))) == {"[b'b!', b'c!', 'no damaged']"}
    assert [one[2] for one in asked[1:]] == [("b", "c", "damaged")] * 2
    assert answers("c") == "[b'c!']"
    # Workers that are forked later inherit them.
    assert shared._listener is not None
    shared._listener.close()
    assert in_workers(1, lambda: answers("a", "c")) == ["[b'a!', b'c!']"]
    assert len(asked) == 3
    # Other settings may have other rights.
    shared.answers(settings("two"), warn, ask, ["a"])
    assert asked[3][2] == ("a",)
    shared.close()
    answers("a")
    assert len(asked) == 5
    assert server.asked.count("login") == 3


def test_a_refusal_is_reported_to_the_worker_that_asks(
    server: Server, shared: Sessions, asked: list[tuple[int, str, tuple[str, ...]]]
) -> None:
    def refused() -> str:
        return repr(shared.answers(settings(), warn, ask, ["refuse"]))

    assert in_workers(2, refused) == ["ServerError: refused"] * 2
    assert [one[2] for one in asked] == [("refuse",)] * 2


def test_workers_do_not_wait_one_after_the_other_for_a_server_that_timed_out(
    clock: Server, shared: Sessions, asked: list[tuple[int, str, tuple[str, ...]]]
) -> None:
    def timed_out() -> str:
        return repr(shared.answers(settings(), warn, ask_in_vain, ["a"]))

    token(shared)
    _clock[:] = [clock]
    assert in_workers(3, timed_out) == ["ServerError: no answer"] * 3
    assert len(asked) == 1


def test_a_worker_without_such_a_process_asks_itself(
    server: Server, sessions: Sessions, asked: list[tuple[int, str, tuple[str, ...]]]
) -> None:
    sessions.follow_forks()

    def answers() -> str:
        twice = [sessions.answers(settings(), warn, ask, ["a"]) for _ in range(2)]
        return f"{twice} {len(asked)} {_asked[0][0] == os.getpid()}"

    assert in_workers(1, answers) == ["[[b'a!'], [b'a!']] 1 True"]
    assert asked == []


# --- other processes at the socket ---


def stranger(shared: Sessions) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(LIMIT)
    made.connect(shared._address)
    return made


def test_a_silent_stranger_blocks_nobody(server: Server, shared: Sessions) -> None:
    with stranger(shared), stranger(shared):
        assert len(set(in_workers(3, lambda: token(shared)))) == 1
    assert server.asked == ["login"]


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00\x00\x00\x04none", b"\xff" * 64], ids=len)
def test_a_stranger_gets_nothing(server: Server, shared: Sessions, content: bytes) -> None:
    mine = token(shared)
    heard = b""
    with stranger(shared) as other:
        other.sendall(content)
        other.shutdown(socket.SHUT_WR)
        try:
            while some := other.recv(4096):
                heard += some
        except ConnectionResetError:
            pass
    assert mine.encode() not in heard
    assert in_workers(1, lambda: token(shared)) == [mine]


def test_a_wrong_key_gets_nothing(server: Server, shared: Sessions) -> None:
    with pytest.raises(multiprocessing.AuthenticationError):
        connection.Client(shared._address, authkey=b"guessed")
    assert in_workers(1, lambda: token(shared))
    assert server.asked == ["login"]


def test_a_worker_that_dies_while_it_asks_blocks_nobody(server: Server, shared: Sessions) -> None:
    server.pause = 0.3

    def asks_and_dies() -> None:
        channel = connection.Client(shared._address, authkey=shared._key)
        channel.send(settings())
        os.kill(os.getpid(), signal.SIGKILL)

    dying = [FORK.Process(target=asks_and_dies) for _number in range(3)]
    for process in dying:
        process.start()
    assert len(set(in_workers(3, lambda: token(shared)))) == 1
    for process in dying:
        process.join(LIMIT)
        assert process.exitcode == -signal.SIGKILL
    assert server.asked == ["login"]


def test_the_socket_is_for_this_user_alone(shared: Sessions) -> None:
    folder = Path(shared._address).parent
    assert folder.stat().st_mode & 0o077 == 0
    assert folder.stat().st_uid == os.getuid()


def test_it_is_shared_once(shared: Sessions) -> None:
    address = shared._address
    shared.share()
    assert shared._address == address


def test_each_worker_logs_in_if_no_socket_can_be_created(
    server: Server, sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the path of a socket can be.
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.delitem(vars(multiprocessing.current_process())["_config"], "tempdir", raising=False)
    sessions.follow_forks()
    sessions.share()
    assert len(set(in_workers(2, lambda: token(sessions)))) == 2
    assert server.asked == []


def test_a_worker_does_not_wait_for_a_killed_run(server: Server) -> None:
    """The process in between is the run; its worker must detect that it was killed."""
    # Pipes, because a killed process leaves no lock there.
    from_run, to_test = FORK.Pipe(duplex=False)
    from_worker, to_test_too = FORK.Pipe(duplex=False)
    killed = FORK.Event()

    def play() -> None:
        run = Sessions()
        run.follow_forks()
        run.share()

        def worker() -> None:
            killed.wait(LIMIT)
            to_test_too.send(token(run))

        FORK.Process(target=worker).start()
        to_test.send(os.getpid())
        time.sleep(LIMIT)

    playing = FORK.Process(target=play)
    playing.start()
    owner = from_run.recv()
    playing.kill()
    # With a limit, join would also wait for the worker, which holds the other end of the pipe that join then uses.
    playing.join()
    killed.set()
    assert from_worker.poll(LIMIT), "it still waits"
    assert f"-{owner}-" not in from_worker.recv()


def test_no_worker_is_forked_during_a_login(server: Server, shared: Sessions) -> None:
    server.pause = 0.5
    login = threading.Thread(target=token, args=(shared,))
    login.start()
    while not server.asked:
        time.sleep(0.01)
    [found] = in_workers(1, lambda: token(shared))
    login.join(LIMIT)
    assert found == token(shared)
    assert server.asked == ["login"]


def test_secrets_do_not_show(server: Server, sessions: Sessions) -> None:
    hidden = Settings(Connection(url="http://one.test"), Auth(method="approle", role_id="r", secret_id="s-canary"))
    lease = sessions.lease(hidden, warn)
    assert "s-canary" not in repr(hidden)
    assert lease.token not in repr(lease)
