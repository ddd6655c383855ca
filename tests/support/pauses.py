# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets tests see how long code would wait, without waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest


def instead_of_pauses(monkeypatch: pytest.MonkeyPatch, pause: Callable[[float], None]) -> None:
    """Call this for each pause of the present thread.

    Threads that tests before this one have left behind go on waiting: one that tries something again and again would
    otherwise fill the memory with pauses.
    """
    here, sleep = threading.get_ident(), time.sleep

    def paused(seconds: float) -> None:
        (pause if threading.get_ident() == here else sleep)(seconds)

    monkeypatch.setattr("time.sleep", paused)
