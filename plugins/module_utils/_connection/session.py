# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""One login per run and configuration. **Private** to the collection.

A module on a target logs in, works and revokes its token. On the controller, Ansible forks a worker for every task
and host, so a login there is shared as far as possible:

- The process that runs the play keeps the tokens, in memory. Workers that are forked after a login inherit them.
- Where the session callback or the vars plugin has called `share`, a worker that finds no token asks that process,
  which logs in once for all of them. Nothing happens before the first one asks.
- A command that runs several plays may be that process for all of them: its `invitation` says to the session callback
  of each where to ask.
- Otherwise a worker logs in for itself, once for its task and host.
- What a worker asks the server in the same words as another one, the process that shares its logins asks once for all
  of them, and remembers in memory.

A token that a login created is revoked by the process that created it, when that process ends.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Hashable, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.answers import (
    Answers,
    Ask,
    Beside,
    Learned,
    Questions,
    sent,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import Lease, log_in, renew, revoke
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerError,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings

# Most processes share no login with others, and programs start in less time than it takes to import this.
if TYPE_CHECKING:
    from multiprocessing import connection

# Seconds. After a request that took long to fail, none is tried for a while.
_LONG_WAIT = 3
_NO_LOGIN = 60
_PAUSE = 0.1


def _silent(_message: str) -> None:
    pass


def _start(work: Callable[[Any], None], subject: Any) -> None:
    threading.Thread(target=work, args=(subject,), daemon=True, name="mlkeys.transit.session").start()


def _at_exit(end: Callable[[], None]) -> None:
    """Call ``end`` when this process ends. Forked workers leave without the interpreter's own exit handlers."""
    import multiprocessing
    from multiprocessing import util

    owner = os.getpid()

    def end_here() -> None:
        if os.getpid() == owner:
            end()

    if multiprocessing.parent_process() is None:
        atexit.register(end_here)
        return
    # Once the run has the result, it terminates a worker that is still running.
    terminated = signal.getsignal(signal.SIGTERM)

    def end_first(signum: int, _frame: Any) -> None:
        signal.signal(signum, signal.SIG_IGN)
        end_here()
        signal.signal(signum, terminated or signal.SIG_DFL)
        os.kill(os.getpid(), signum)

    def end_undisturbed() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_here()

    signal.signal(signal.SIGTERM, end_first)
    util.Finalize(None, end_undisturbed, exitpriority=0)


def _client(settings: Settings, lease: Lease, warn: Warn) -> Client:
    client = Client(settings.connection, warn, lease.token)
    # A standby that does not know the token yet would refuse it.
    client.not_before(lease.index)
    return client


class Sessions:
    """The logins of one run. Lives in the process that runs the play; forked workers hold copies."""

    def __init__(self) -> None:
        # Held during a login and while the process forks: a worker that is forked in the middle of a login would
        # inherit locks of the TLS library that nobody ever releases.
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._leases: dict[Settings, Lease] = {}
        self._created: list[tuple[Settings, Lease]] = []
        self._clients: dict[Settings, Client] = {}
        self._answers = Answers()
        self._unreachable: dict[Settings, tuple[float, str]] = {}
        self._listener: connection.Listener | None = None
        self._address = ""
        self._key = b""
        self._above: tuple[str, bytes] | None = None

    def client(self, settings: Settings, warn: Warn) -> Client:
        """A client that is logged in, the same one as long as its token is valid.

        Raises:
            TransitError: the login failed.
        """
        with self._lock:
            lease = self.lease(settings, warn)
            client = self._clients.get(settings)
            if client is None:
                client = self._clients[settings] = _client(settings, lease, warn)
            client.token = lease.token
            return client

    def lease(self, settings: Settings, warn: Warn) -> Lease:
        """The token for these settings: the one in memory, the run's, or one of a new login."""
        with self._lock:
            lease = self._leases.get(settings)
            if lease is not None and not lease.near_end(time.time()):
                return lease
            asked = self._ask_owner(settings)
            lease = asked or self._obtain(settings, lease, warn)
            if lease.shareable:
                self._leases[settings] = lease
            return lease

    def answers(
        self, settings: Settings, warn: Warn, ask: Ask, questions: Sequence[Hashable], beside: Beside = tuple
    ) -> list[Any]:
        """The server's answers. Each question is asked once for this process and its workers, if there is an answer.

        Args:
            beside: others that are likely to be asked soon. They are asked in the same request if there is one.

        Raises:
            TransitError: the login failed, or the server answers nothing.
        """
        with self._lock:
            return self._answered(settings, ask, questions, lambda: self.client(settings, warn), beside)

    def _answered(
        self, settings: Settings, ask: Ask, questions: Sequence[Hashable], connect: Callable[[], Client], beside: Beside
    ) -> list[Any]:
        known = self._answers.of(settings, ask)
        new: dict[Hashable, Any] = {}
        if any(one not in known for one in questions):
            # All of them, since the server may refuse one alone in other words.
            asked, others = list(dict.fromkeys(questions)), beside()
            answers = sent(self._asked_by_workers(), Questions(settings, ask, asked, others))
            if isinstance(answers, str):
                raise ServerError(answers)
            if answers is None:
                others = [one for one in dict.fromkeys(others) if one not in asked]
                with self._patient_once(settings):
                    answers = ask(connect(), asked, others)
                asked += others
            new = dict(zip(asked, answers))
            self._answers.keep(settings, ask, new)
        return [new[one] if one in new else known[one] for one in questions]

    def learn(self, client: Client, ask: Ask, answers: Mapping[Any, bytes], same: Mapping[Any, Hashable]) -> None:
        """Keep what the server would answer, here and for other workers, where answers to such questions are kept.

        Args:
            client: the one of this process that knows it.
            answers: the answers by question.
            same: for further questions, those with the same answer.
        """
        with self._lock:
            for settings in self._settings_of(client):
                if self._answers.of(settings, ask):
                    learned = Learned(settings, ask, answers, same)
                    self._answers.learn(learned)
                    sent(self._asked_by_workers(), learned)

    def kept(self, client: Client, ask: Ask) -> Mapping[Hashable, bytes]:
        """The answers by question that are kept in this process, of those that this client of it would get."""
        with self._lock:
            kept = [self._answers.of(settings, ask) for settings in self._settings_of(client)]
            return {question: answer for answers in kept for question, answer in answers.items()}

    def _settings_of(self, client: Client) -> list[Settings]:
        return [settings for settings, one in self._clients.items() if one is client]

    def share(self) -> None:
        """Log in for the workers of this process, and send them the tokens when they ask."""
        from multiprocessing import connection

        with self._lock:
            if self._address or self._is_worker():
                return
            self._key = os.urandom(32)
            try:
                self._listener = connection.Listener(family="AF_UNIX", backlog=128)
            except OSError:
                # No socket can be created, for example because its path is too long. Each worker logs in for itself.
                return
            self._address = str(self._listener.address)
            _start(self._serve, self._listener)

    def invitation(self) -> str:
        """How other processes ask this one for tokens, empty if they cannot. It is as secret as a token."""
        with self._lock:
            return f"{self._address}:{self._key.hex()}" if self._address else ""

    def follow(self, invitation: str) -> None:
        """Ask the process that gave the invitation, instead of logging in. If it does not answer, log in."""
        address, _separator, key = invitation.rpartition(":")
        try:
            self._above = (address, bytes.fromhex(key)) if address else None
        except ValueError:
            self._above = None

    def close(self) -> None:
        """Revoke what logins of this process created."""
        with self._lock:
            created, self._created = self._created, []
            self._leases.clear()
            self._clients.clear()
            self._answers.clear()
            for settings, lease in created:
                if settings.auth.token_revoke:
                    revoke(_client(settings, lease, _silent), _silent)

    def _is_worker(self) -> bool:
        return os.getpid() != self._owner

    def _asked_by_workers(self) -> tuple[str, bytes] | None:
        """The process that asks for this one, if this is a worker."""
        return (self._address, self._key) if self._is_worker() else None

    def _obtain(self, settings: Settings, old: Lease | None, warn: Warn) -> Lease:
        now = time.time()
        if old is not None and old.renewable:
            try:
                renewed = renew(_client(settings, old, warn), now)
            except TransitError:
                renewed = old
            # The renewal of a token in its last second may extend it by zero seconds.
            if renewed.duration and not renewed.near_end(now):
                return renewed
        lease = self._log_in(settings, now, warn)
        if lease.created:
            if not self._created:
                _at_exit(self.close)
            self._created.append((settings, lease))
        return lease

    def _log_in(self, settings: Settings, now: float, warn: Warn) -> Lease:
        with self._patient_once(settings):
            return log_in(Client(settings.connection, warn), settings.auth, now)

    @contextmanager
    def _patient_once(self, settings: Settings) -> Iterator[None]:
        """Do not let one worker after the other wait for a server that has just not responded in time.

        Raises:
            ServerUnreachable: it has not.
        """
        now = time.time()
        until, problem = self._unreachable.get(settings, (now, ""))
        if now < until:
            raise ServerUnreachable(problem)
        try:
            yield
        except ServerUnreachable as error:
            if time.time() - now > _LONG_WAIT:
                self._unreachable[settings] = (time.time() + _NO_LOGIN, error.message)
            raise

    def _ask_owner(self, settings: Settings) -> Lease | None:
        """The token of the process that logs in for this one, ``None`` without such a process or its answer."""
        owner = self._asked_by_workers() if self._is_worker() else self._above
        answer = sent(owner, settings)
        if answer is None or isinstance(answer, Lease):
            return answer
        raise Unauthenticated(str(answer))

    def _serve(self, listener: connection.Listener) -> None:
        while True:
            try:
                channel = listener.accept()
            except OSError:
                # The worker went away at once, or too many files are open. The listener itself ends with the process.
                time.sleep(_PAUSE)
            else:
                # Each in a thread of its own: one that sends nothing must not keep the others waiting.
                _start(self._answer, channel)

    def _answer(self, channel: connection.Connection) -> None:
        from multiprocessing import AuthenticationError, connection, reduction

        try:
            with channel:
                connection.deliver_challenge(channel, self._key)
                connection.answer_challenge(channel, self._key)
                asked = channel.recv_bytes()
                with self._lock:
                    # It may import something, and a worker must not be forked in the middle of that either.
                    answer = self._answer_to(reduction.ForkingPickler.loads(asked))
                channel.send(answer)
        except (OSError, EOFError, AuthenticationError):
            # The worker went away, or another process connected that does not have the key.
            pass

    def _answer_to(self, asked: Settings | Questions | Learned) -> Lease | list[Any] | str:
        if isinstance(asked, Learned):
            self._answers.learn(asked)
            return []
        try:
            if not isinstance(asked, Questions):
                return self.lease(asked, _silent)
            settings, ask, questions, beside = asked

            def connect() -> Client:
                # The client of the session may be at work in another thread.
                return _client(settings, self.lease(settings, _silent), _silent)

            return self._answered(settings, ask, questions, connect, lambda: beside)
        except TransitError as error:
            return error.message

    def follow_forks(self) -> None:
        """Keep this process from forking in the middle of a login, and prepare each worker."""
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forked)

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork(self) -> None:
        self._lock.release()

    def _forked(self) -> None:
        """A worker starts with the tokens of its parent, connections of its own, and nothing to revoke."""
        self._lock = threading.RLock()
        self._clients = {}
        self._created = []
        if self._listener is not None:
            # Otherwise the socket would still seem to listen when its process is gone.
            self._listener.close()


_of_this_run: list[Sessions] = []


def run_sessions() -> Sessions:
    """The sessions of this run on the controller."""
    if not _of_this_run:
        _of_this_run.append(Sessions())
        _of_this_run[0].follow_forks()
    return _of_this_run[0]


def sessions_if_kept() -> Sessions | None:
    """The same, if this process is one of a run on the controller that keeps what it has."""
    return _of_this_run[0] if _of_this_run else None


@contextmanager
def connected(settings: Settings, warn: Warn) -> Iterator[Client]:
    """A client that is logged in. On a target its token is revoked at the end, on the controller with the run.

    Raises:
        TransitError: the login failed.
    """
    if _of_this_run:
        yield _of_this_run[0].client(settings, warn)
        return
    alone = Sessions()
    try:
        yield alone.client(settings, warn)
    finally:
        alone.close()
