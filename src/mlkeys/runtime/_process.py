# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What all secrets of a process share: the logins, and locks."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping

from mlkeys._carried import carry
from mlkeys.runtime._tokens import Logins, PatientLock

carry()

# Only now these have their names.
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (  # noqa: E402
    OPTIONS,
    settings_from,
)

option_names = frozenset(option.name for option in OPTIONS)
log = logging.getLogger("mlkeys.runtime")

# Seconds between two looks at the tokens, at least and at most.
_SHORT, _LONG = 0.2, 86400


class Process:
    """The logins of this process, as its environment describes them.

    Attributes:
        state: held for moments, while what is in memory changes.
    """

    def __init__(self) -> None:
        self.state = threading.RLock()
        self._requests = PatientLock()
        self._logins = Logins()
        self._keeper: threading.Event | None = None
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forked)

    @property
    def lock(self) -> threading.RLock:
        """Held while something is read or decrypted, since a client is for one thread at a time. Before `state`."""
        return self._requests.lock

    def client(self, options: Mapping[str, object]) -> Client:
        """A client that is logged in. To be called with the lock.

        Args:
            options: of the connection and the login, which win over those of the environment.

        Raises:
            TransitError: the login failed, or an option is missing or invalid.
        """
        client = self._logins.client(settings_from(options, os.environ), log.warning)
        self._keep_tokens()
        return client

    def log_out(self) -> None:
        """Revoke the tokens that logins of this process created."""
        with self.lock:
            self._logins.close()

    def _keep_tokens(self) -> None:
        """Renew tokens in time, in a thread, while there are any."""
        if self._logins.due_in(0) is None:
            return
        with self.state:
            if self._keeper is not None:
                self._keeper.set()
                return
            self._keeper = threading.Event()
            threading.Thread(target=self._keep, args=(self._keeper,), daemon=True, name="mlkeys.runtime").start()

    def _keep(self, looked: threading.Event) -> None:
        while True:
            with self.lock:
                self._logins.renew_due(time.time(), log.warning)
                due = self._logins.due_in(time.time())
                if due is None:
                    with self.state:
                        self._keeper = None
                    return
            looked.wait(min(max(due, _SHORT), _LONG))
            looked.clear()

    def _before_fork(self) -> None:
        self._requests.before_fork()
        self.state.acquire()

    def _after_fork(self) -> None:
        self.state.release()
        self._requests.after_fork()

    def _forked(self) -> None:
        self.state = threading.RLock()
        self._requests.forked()
        self._logins.forked()
        self._keeper = None


process = Process()
