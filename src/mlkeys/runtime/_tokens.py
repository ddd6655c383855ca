# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The logins of a program, whose tokens are renewed in time, and which forks wait for a moment only."""

from __future__ import annotations

import threading
from dataclasses import replace

from mlkeys._carried import carry

carry()

# Only now these have their names.
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import Lease, renew  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (  # noqa: E402
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import Sessions  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings  # noqa: E402

# Seconds that a fork waits for a request that has begun. A request takes longer only where the server does not respond,
# and then no lock of the TLS library is held.
FORK_PATIENCE = 0.5
# Seconds after which a renewal is tried again for which there was no response.
_PAUSE = 5
# The part of its lifetime that is left of a token when it is renewed.
LEFT = 1 / 3


class PatientLock:
    """A lock that is held over requests, and that keeps a fork waiting for a moment only."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._forking: set[int] = set()

    def before_fork(self) -> None:
        if self.lock.acquire(timeout=FORK_PATIENCE):
            self._forking.add(threading.get_ident())

    def after_fork(self) -> None:
        if threading.get_ident() in self._forking:
            self._forking.discard(threading.get_ident())
            self.lock.release()

    def forked(self) -> None:
        self.lock = threading.RLock()
        self._forking.clear()


class Logins(Sessions):
    """The logins of this process. To be called by one thread at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._retry: dict[Settings, float] = {}

    def forked(self) -> None:
        """Begin in a forked process with the tokens of its parent, and nothing to revoke."""
        self._forked()

    def due_in(self, now: float) -> float | None:
        """Seconds until a token must be renewed, ``None`` if there is none that can be."""
        times = [max(_due(lease), self._retry.get(settings, 0)) for settings, lease in self._own()]
        return min(times) - now if times else None

    def renew_due(self, now: float, warn: Warn) -> None:
        """Renew the tokens that are due, as far as the server extends their lifetimes."""
        for settings, lease in self._own():
            if max(_due(lease), self._retry.get(settings, 0)) <= now:
                self._leases[settings] = self._renewed(settings, lease, now, warn)

    def _own(self) -> list[tuple[Settings, Lease]]:
        """The tokens that logins of this process created, not those that it inherited in a fork."""
        tokens = {lease.token for _settings, lease in self._created}
        return [
            (settings, lease)
            for settings, lease in self._leases.items()
            if lease.token in tokens and lease.renewable and lease.expires is not None
        ]

    def _renewed(self, settings: Settings, lease: Lease, now: float, warn: Warn) -> Lease:
        self._retry.pop(settings, None)
        try:
            renewed = renew(Client(settings.connection, warn, lease.token), now)
        except ServerUnreachable:
            self._retry[settings] = now + min(_PAUSE, lease.duration / 10)
            return lease if not _has_ended(lease, now) else replace(lease, renewable=False)
        except TransitError as problem:
            warn(f"The token of the login is not renewed and ends with its TTL: {problem.message}")
            return replace(lease, renewable=False)
        if _has_ended(renewed, lease.expires or 0):
            # Its maximum TTL is reached.
            return replace(lease, renewable=False)
        return renewed


def _due(lease: Lease) -> float:
    """When to renew a token."""
    return (lease.expires or 0) - lease.duration * LEFT


def _has_ended(lease: Lease, now: float) -> bool:
    return not lease.duration or (lease.expires or 0) <= now
