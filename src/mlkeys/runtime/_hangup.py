# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""SIGHUP, by which a service is asked to read again what it has read."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from mlkeys.runtime._process import log

_received = [0]


def received() -> int:
    """How many there were since this process listens."""
    return _received[0]


class _Handler:
    """Counts, and does what the program does on the signal."""

    def __init__(self, before: Callable[[int, FrameType | None], object] | int) -> None:
        self._before = before

    def __call__(self, number: int, frame: FrameType | None) -> None:
        _received[0] += 1
        if callable(self._before):
            self._before(number, frame)


def listen(*, always: bool | None) -> None:
    """Count the signals from now on. A handler that the program has set is still called.

    Args:
        always: ``None`` for not where the signal means that the user has closed the terminal.
    """
    if always is False:
        return
    if threading.current_thread() is not threading.main_thread():
        if always and not isinstance(signal.getsignal(signal.SIGHUP), _Handler):
            log.warning(
                "SIGHUP renews no secrets, since secrets() was not called in the main thread. Call it there first."
            )
        return
    before = signal.getsignal(signal.SIGHUP)
    if before is None or isinstance(before, _Handler):
        return
    if before is signal.SIG_DFL and not always and _has_terminal():
        return
    signal.signal(signal.SIGHUP, _Handler(before))


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
