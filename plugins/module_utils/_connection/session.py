# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""One login per run and configuration. **Private** to the collection.

A module on a target logs in, works and ends its token. On the controller, Ansible forks a worker for every task and
host, so a login there is shared as far as possible:

- The process that runs the play keeps the tokens, in memory. Workers that are forked after a login inherit them.
- Where the run was announced (`share`, called by the session callback and the vars plugin), a worker that finds no
  token asks that process, which logs in once for all of them. Nothing happens before the first one asks.
- Else a worker logs in for itself, once for its task and host.

A token that was created by a login is revoked by the process that created it, when that ends.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import secrets
import signal
import threading
import time
from contextlib import contextmanager
from multiprocessing import connection, util
from typing import Any, Callable, Iterator

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import Grant, log_in, renew, revoke
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings

# Seconds.
_LONG_WAIT = 3
_PATIENCE = 60
_PAUSE = 0.1


def _silent(_message: str) -> None:
    pass


def _start(work: Callable[[Any], None], subject: Any) -> None:
    threading.Thread(target=work, args=(subject,), daemon=True, name="mlkeys.transit.session").start()


def _at_exit(end: Callable[[], None]) -> None:
    """Call ``end`` when this process ends. Forked workers leave without the interpreter's own exit handlers."""
    owner = os.getpid()

    def end_here() -> None:
        if os.getpid() == owner:
            end()

    if multiprocessing.parent_process() is None:
        atexit.register(end_here)
        return
    # Having its result, the run terminates a worker that is still there.
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


def _client(settings: Settings, grant: Grant, warn: Warn) -> Client:
    client = Client(settings.connection, warn, grant.token)
    # A standby that has not heard of the token yet would refuse it.
    client.not_before(grant.index)
    return client


class Sessions:
    """The logins of one run. Lives in the process that runs the play; forked workers hold copies."""

    def __init__(self) -> None:
        # Held while a token is being fetched, and while the process forks: no worker is born in the middle of a
        # login, with locks of the TLS library that nobody will ever release.
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._grants: dict[Settings, Grant] = {}
        self._created: list[tuple[Settings, Grant]] = []
        self._clients: dict[Settings, Client] = {}
        self._unreachable: dict[Settings, tuple[float, str]] = {}
        self._listener: connection.Listener | None = None
        self._address = ""
        self._key = b""

    def client(self, settings: Settings, warn: Warn) -> Client:
        """A client that may speak, the same one as long as its token lives.

        Raises:
            TransitError: there is no token to be had.
        """
        with self._lock:
            grant = self.grant(settings, warn)
            client = self._clients.get(settings)
            if client is None:
                client = self._clients[settings] = _client(settings, grant, warn)
            client.token = grant.token
            return client

    def grant(self, settings: Settings, warn: Warn) -> Grant:
        """The token for these settings: the one at hand, the run's, or one of a new login."""
        with self._lock:
            grant = self._grants.get(settings)
            if grant is not None and not grant.near_end(time.time()):
                return grant
            asked = self._ask_owner(settings) if self._is_worker() else None
            grant = asked or self._obtain(settings, grant, warn)
            if grant.shareable:
                self._grants[settings] = grant
            return grant

    def share(self) -> None:
        """Answer the workers of this process, which asks for their tokens in its own name."""
        with self._lock:
            if self._address or self._is_worker():
                return
            self._key = secrets.token_bytes(32)
            try:
                self._listener = connection.Listener(family="AF_UNIX", backlog=128)
            except OSError:
                # There is no place for a socket, or the path of that place is too long. Each worker logs in for itself.
                return
            self._address = str(self._listener.address)
            _start(self._serve, self._listener)

    def close(self) -> None:
        """Revoke what logins of this process created."""
        with self._lock:
            created, self._created = self._created, []
            self._grants.clear()
            self._clients.clear()
            for settings, grant in created:
                if settings.auth.token_revoke:
                    revoke(_client(settings, grant, _silent), _silent)

    def _is_worker(self) -> bool:
        return os.getpid() != self._owner

    def _obtain(self, settings: Settings, old: Grant | None, warn: Warn) -> Grant:
        now = time.time()
        if old is not None and old.renewable:
            try:
                renewed = renew(_client(settings, old, warn), now)
            except TransitError:
                renewed = old
            # In the last second of its life it is prolonged by none.
            if renewed.lease and not renewed.near_end(now):
                return renewed
        grant = self._log_in(settings, now, warn)
        if grant.created:
            if not self._created:
                _at_exit(self.close)
            self._created.append((settings, grant))
        return grant

    def _log_in(self, settings: Settings, now: float, warn: Warn) -> Grant:
        """Log in, but do not let one worker after the other wait for a server that just did not answer in time."""
        until, problem = self._unreachable.get(settings, (now, ""))
        if now < until:
            raise ServerUnreachable(problem)
        try:
            return log_in(Client(settings.connection, warn), settings.auth, now)
        except ServerUnreachable as error:
            if time.time() - now > _LONG_WAIT:
                self._unreachable[settings] = (time.time() + _PATIENCE, error.message)
            raise

    def _ask_owner(self, settings: Settings) -> Grant | None:
        """The run's token, ``None`` where nobody answers."""
        if not self._address:
            return None
        try:
            with connection.Client(self._address, authkey=self._key) as channel:
                channel.send(settings)
                answer = channel.recv()
        except (OSError, EOFError, multiprocessing.AuthenticationError):
            return None
        if isinstance(answer, Grant):
            return answer
        raise Unauthenticated(str(answer))

    def _serve(self, listener: connection.Listener) -> None:
        while True:
            try:
                channel = listener.accept()
            except OSError:
                # One that went away at once, or too many open files. The listener itself ends with the process.
                time.sleep(_PAUSE)
            else:
                # Each in a thread of its own: one that says nothing must not keep the others waiting.
                _start(self._answer, channel)

    def _answer(self, channel: connection.Connection) -> None:
        try:
            with channel:
                connection.deliver_challenge(channel, self._key)
                connection.answer_challenge(channel, self._key)
                channel.send(self._answer_to(channel.recv()))
        except (OSError, EOFError, multiprocessing.AuthenticationError):
            # A worker that went away, or a stranger.
            pass

    def _answer_to(self, settings: Settings) -> Grant | str:
        try:
            return self.grant(settings, _silent)
        except TransitError as error:
            return error.message

    def follow_forks(self) -> None:
        """Keep this process from forking in the middle of a login, and give each worker what it may have."""
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forked)

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork(self) -> None:
        self._lock.release()

    def _forked(self) -> None:
        """A worker begins with the tokens of its parent, connections of its own, and nothing to revoke."""
        self._lock = threading.RLock()
        self._clients = {}
        self._created = []
        if self._listener is not None:
            # Else it would still seem to listen when its process is gone.
            self._listener.close()


_of_this_run: list[Sessions] = []


def run_sessions() -> Sessions:
    """The sessions of this run on the controller."""
    if not _of_this_run:
        _of_this_run.append(Sessions())
        _of_this_run[0].follow_forks()
    return _of_this_run[0]


@contextmanager
def connected(settings: Settings, warn: Warn) -> Iterator[Client]:
    """A client that may speak. On a target its token ends with this, on the controller with the run.

    Raises:
        TransitError: there is no token to be had.
    """
    if _of_this_run:
        yield _of_this_run[0].client(settings, warn)
        return
    alone = Sessions()
    try:
        yield alone.client(settings, warn)
    finally:
        alone.close()
