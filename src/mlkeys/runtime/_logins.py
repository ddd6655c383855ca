# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The logins of a program, whose tokens are renewed in time, and which forks wait for a moment only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mlkeys._carried import carry

carry()

# Only now these have their names.
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import (  # noqa: E402
    Lease,
    log_in,
    renew,
    revoke,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (  # noqa: E402
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings  # noqa: E402

# Seconds after which a renewal is tried again for which there was no response.
_PAUSE = 5
# The part of its lifetime that is left of a token when it is renewed.
LEFT = 1 / 3
# Seconds between two looks at a token, at least and at most.
_SHORT, _LONG = 0.2, 86400


class PatientLock:
    """A lock that is held over requests, and that keeps a fork waiting for a moment only."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._forking: set[int] = set()

    def before_fork(self, seconds: float) -> None:
        """Wait so long for a request that has begun."""
        if self.lock.acquire(timeout=seconds):
            self._forking.add(threading.get_ident())

    def after_fork(self) -> None:
        if threading.get_ident() in self._forking:
            self._forking.discard(threading.get_ident())
            self.lock.release()

    def forked(self) -> None:
        self.lock = threading.RLock()
        self._forking.clear()


class Login:
    """One login, or one given token, and the one client that sends it.

    What waits for a server waits for that of this login alone.

    Attributes:
        lock: held while the client is used, which is for one thread at a time.
    """

    def __init__(self, settings: Settings, warn: Warn) -> None:
        self.lock = PatientLock()
        self._settings = settings
        self._warn = warn
        self._client: Client | None = None
        self._lease: Lease | None = None
        # That of the process that this one was forked from, which is for it to revoke.
        self._inherited: Lease | None = None
        self._retry = 0.0
        self._keeper: threading.Event | None = None
        self._is_closed = False

    @contextmanager
    def using(self) -> Iterator[Client]:
        """The client with a token that is valid, as far as is known.

        Raises:
            TransitError: the login failed.
        """
        with self.lock.lock:
            try:
                yield self._ready(time.time())
            finally:
                if self._is_closed:
                    # Nobody else knows of a token that has come meanwhile.
                    self._revoke(self._settings.connection.timeout)

    def forget(self) -> bool:
        """Use a token no more that the server does not accept. Whether another login may give another one."""
        with self.lock.lock:
            refused, self._lease = self._lease, None
            # One that is given as such stays the same. A file or a helper may have another one now.
            auth = self._settings.auth
            return refused is not None and (self._creates_tokens or (auth.method == "token" and not auth.token))

    def close(self, seconds: float) -> None:
        """Revoke the token that a login of this process created, within this many seconds, and end connections."""
        end = time.monotonic() + seconds
        self._is_closed = True
        lock = self.lock.lock
        # A request may have begun to a server that does not respond. Its token is revoked with another connection.
        is_free = lock.acquire(timeout=seconds / 3 if self._creates_tokens else 0)
        try:
            if self._keeper is not None:
                self._keeper.set()
            self._revoke(end - time.monotonic())
            if is_free and self._client is not None:
                self._client.close()
                self._client = None
        finally:
            if is_free:
                lock.release()

    def forked(self) -> None:
        """Begin in a forked process with connections of its own, and nothing to revoke."""
        self.lock.forked()
        if self._lease is not None:
            self._inherited = replace(self._lease, created=False, renewable=False)
        self._client = self._lease = self._keeper = None

    def due_in(self, now: float) -> float | None:
        """Seconds until the token must be renewed, ``None`` if it cannot be renewed."""
        lease = self._lease
        if lease is None or not lease.created or not lease.renewable or lease.expires is None:
            return None
        return max(_due(lease), self._retry) - now

    def renew_due(self, now: float) -> None:
        """Renew the token if it is due, as far as the server extends its lifetime. To be called with the lock."""
        due = self.due_in(now)
        if self._lease is not None and due is not None and due <= 0:
            self._lease = self._renewed(self._lease, now)

    @property
    def _creates_tokens(self) -> bool:
        return self._settings.auth.method not in ("token", "none")

    def _ready(self, now: float) -> Client:
        lease = self._lease
        if lease is None or lease.near_end(now) or not lease.shareable:
            lease = self._lease = self._obtained(lease, now)
        client = self._connected()
        client.token = lease.token
        # A standby that does not know the token yet would refuse it.
        client.not_before(lease.index)
        self._keep()
        return client

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(self._settings.connection, self._warn)
        return self._client

    def _obtained(self, old: Lease | None, now: float) -> Lease:
        """The old token with a longer lifetime, or that of a new login."""
        client = self._connected()
        if old is not None and old.renewable:
            renewed = self._renewed(old, now)
            if renewed is not None and renewed.renewable and not renewed.near_end(now):
                return renewed
        client.token = ""
        try:
            lease = log_in(client, self._settings.auth, now)
        except Unauthenticated:
            # A secret ID may be good for one login, and the process before the fork has had it.
            if self._inherited is None or self._inherited.near_end(now):
                raise
            lease, self._inherited = self._inherited, None
        if old is not None:
            self._lease = old
            self._revoke(self._settings.connection.timeout)
        return lease

    def _renewed(self, lease: Lease, now: float) -> Lease | None:
        """The token with a longer lifetime, ``None`` for one that the server does not accept."""
        self._retry = 0.0
        client = self._connected()
        client.token = lease.token
        try:
            renewed = renew(client, now)
        except ServerUnreachable:
            self._retry = now + min(_PAUSE, lease.duration / 10)
            return lease if not _has_ended(lease, now) else replace(lease, renewable=False)
        except Unauthenticated:
            # It was revoked. The next use logs in again, and says so if that fails.
            return None
        except TransitError as problem:
            self._warn(f"The token of the login is not renewed and ends with its TTL: {problem.message}")
            return replace(lease, renewable=False)
        if _has_ended(renewed, lease.expires or 0):
            # Its maximum TTL is reached.
            return replace(lease, renewable=False)
        return renewed

    def _revoke(self, seconds: float) -> None:
        lease, self._lease = self._lease, None
        if lease is None or not lease.created or not self._settings.auth.token_revoke or seconds <= 0:
            return
        connection = self._settings.connection
        # For one attempt at each member.
        soon = min(connection.timeout, seconds / len(connection.addresses))
        client = Client(replace(connection, timeout=soon, retries={}), _silent, lease.token)
        revoke(client, _silent)
        client.close()

    def _keep(self) -> None:
        """Renew the token in time, in a thread, while there is one that can be."""
        if self.due_in(0) is None:
            return
        if self._keeper is not None:
            self._keeper.set()
            return
        self._keeper = threading.Event()
        thread = threading.Thread(target=self._keep_renewed, args=(self._keeper,), daemon=True, name="mlkeys.runtime")
        try:
            thread.start()
        except RuntimeError:
            # The interpreter ends, or the system allows no more threads. The next use tries again.
            self._keeper = None

    def _keep_renewed(self, looked: threading.Event) -> None:
        while True:
            with self.lock.lock:
                self.renew_due(time.time())
                due = self.due_in(time.time())
                if due is None or self._is_closed:
                    self._keeper = None
                    return
            looked.wait(min(max(due, _SHORT), _LONG))
            looked.clear()


def _silent(_message: str) -> None:
    """Warn of nothing: what is not revoked ends with its TTL."""


def _due(lease: Lease) -> float:
    """When to renew a token."""
    return (lease.expires or 0) - lease.duration * LEFT


def _has_ended(lease: Lease, now: float) -> bool:
    return not lease.duration or (lease.expires or 0) <= now
