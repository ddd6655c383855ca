# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What all secrets of a process share: the logins, and what happens to locks when it forks."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from weakref import WeakKeyDictionary, WeakSet

from mlkeys._carried import carry
from mlkeys.runtime._logins import Login, PatientLock

carry()

# Only now these have their names.
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import Unauthenticated  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (  # noqa: E402
    OPTIONS,
    Settings,
    settings_from,
)

option_names = frozenset(option.name for option in OPTIONS)
log = logging.getLogger("mlkeys.runtime")

# Seconds that a fork waits for requests that have begun. They take longer only where a server does not respond, and
# then no lock of the TLS library is held.
FORK_PATIENCE = 0.5
# Seconds for the revocation of all tokens that are not needed any more. A server that does not respond keeps nobody
# waiting for longer: its tokens end with their TTL.
END_PATIENCE = 2.0


class Process:
    """The logins of this process, as its environment describes them.

    Attributes:
        state: held for moments, while what is in memory changes. After all other locks.
    """

    def __init__(self) -> None:
        self.state = threading.RLock()
        self._locks: WeakSet[PatientLock] = WeakSet()
        self._logins: dict[Settings, Login] = {}
        # Which login the secrets with this lock use.
        self._used: WeakKeyDictionary[PatientLock, Login] = WeakKeyDictionary()
        self._ends = False
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forked)

    def new_lock(self) -> PatientLock:
        """A lock for secrets, which forks heed. To be taken before that of a login."""
        return self._known(PatientLock())

    @contextmanager
    def connecting(self, user: PatientLock, options: Mapping[str, object]) -> Iterator[Callable[[], Client]]:
        """What returns a client that is logged in, the same one during the block.

        Args:
            user: the lock of the secrets that use it.
            options: of the connection and the login, which win over those of the environment.

        Raises:
            TransitError: what it returns raises it where the login failed, or an option is missing or invalid.
        """
        with ExitStack() as stack:
            yield cache(lambda: stack.enter_context(self._login(user, options).using()))

    def forget(self, user: PatientLock) -> bool:
        """Use a token no more that the server does not accept. Whether another login may give another one."""
        with self.state:
            login = self._used.get(user)
        return login is not None and login.forget()

    def leave(self, user: PatientLock) -> None:
        """Revoke the token of the login that these secrets used, if no others use it."""
        with self.state:
            self._used.pop(user, None)
            unused = self._unused()
        _end(unused)

    def _login(self, user: PatientLock, options: Mapping[str, object]) -> Login:
        settings = settings_from(options, os.environ, flags={})
        with self.state:
            login = self._logins.get(settings)
            if login is None:
                login = self._logins[settings] = Login(settings, log.warning)
                self._known(login.lock)
            self._used[user] = login
            unused = self._unused()
            self._end_later()
        _end(unused)
        return login

    def _known(self, lock: PatientLock) -> PatientLock:
        with self.state:
            self._locks.add(lock)
        return lock

    def _unused(self) -> list[Login]:
        """Forget the logins that nothing uses, such as those with tokens that the environment had before."""
        used = {id(login) for login in self._used.values()}
        unused = {settings: login for settings, login in self._logins.items() if id(login) not in used}
        for settings in unused:
            del self._logins[settings]
        return list(unused.values())

    def _end_later(self) -> None:
        """Revoke tokens when this process ends. Handlers of signals are the program's own."""
        if self._ends:
            return
        self._ends = True
        atexit.register(self._end)
        # Its processes leave without the interpreter's own exit handlers.
        if "multiprocessing.process" in sys.modules:
            from multiprocessing import parent_process, util  # noqa: PLC0415

            if parent_process() is not None:
                util.Finalize(None, self._end, exitpriority=0)

    def _end(self) -> None:
        _end(self._logins.values())

    def _before_fork(self) -> None:
        with self.state:
            locks = list(self._locks)
        end = time.monotonic() + FORK_PATIENCE
        for lock in locks:
            lock.before_fork(max(0.0, end - time.monotonic()))
        self.state.acquire()

    def _after_fork(self) -> None:
        locks = list(self._locks)
        self.state.release()
        for lock in locks:
            lock.after_fork()

    def _forked(self) -> None:
        self.state = threading.RLock()
        for lock in self._locks:
            lock.forked()
        for login in self._logins.values():
            login.forked()
        self._ends = False


def is_refusal(problem: BaseException) -> bool:
    """Whether an error in plain words comes from a server that does not accept a token."""
    return isinstance(problem.__context__, Unauthenticated)


def _end(logins: Iterable[Login]) -> None:
    """Close logins, each within its part of the time."""
    left = list(logins)
    end = time.monotonic() + END_PATIENCE
    while left:
        left.pop().close((end - time.monotonic()) / (len(left) + 1))


process = Process()
