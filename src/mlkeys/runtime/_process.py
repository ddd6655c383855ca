# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What all secrets of a process share: the logins, and a lock."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping

from mlkeys._carried import carry

carry()

# Only now these have their names.
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import Sessions  # noqa: E402
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (  # noqa: E402
    OPTIONS,
    settings_from,
)

option_names = frozenset(option.name for option in OPTIONS)
log = logging.getLogger("mlkeys.runtime")


class Process:
    """The logins of this process, as its environment describes them.

    Attributes:
        lock: held while something is read or decrypted, since a client is for one thread at a time.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._sessions = Sessions()
        self._sessions.follow_forks()
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._forked)

    def client(self, options: Mapping[str, object]) -> Client:
        """A client that is logged in. To be called with the lock.

        Args:
            options: of the connection and the login, which win over those of the environment.

        Raises:
            TransitError: the login failed, or an option is missing or invalid.
        """
        return self._sessions.client(settings_from(options, os.environ), log.warning)

    def log_out(self) -> None:
        """Revoke the tokens that logins of this process created."""
        self._sessions.close()

    def _before_fork(self) -> None:
        self.lock.acquire()

    def _after_fork(self) -> None:
        self.lock.release()

    def _forked(self) -> None:
        self.lock = threading.RLock()


process = Process()
