# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Work that is done once for all threads that want it, in a thread of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from mlkeys.runtime._process import process

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

#: Seconds that the caller that begins a renewal waits for it. Then the values that are in memory are used.
PATIENCE = 1.0


class Work(Generic[T]):
    """One piece of work at a time, which the program does not wait for when it ends."""

    def __init__(self) -> None:
        # With the process that does it: a fork has no threads but one.
        self._running: tuple[int, Future[T]] | None = None

    def begin(self, work: Callable[[], T]) -> Future[T] | None:
        """Begin, ``None`` if it has begun already."""
        future, is_new = self._begun()
        if not is_new:
            return None
        self._start(work, future)
        return future

    def joined(self, work: Callable[[], T]) -> Future[T]:
        """That which is running, or else begin."""
        future, is_new = self._begun()
        if is_new:
            self._start(work, future)
        return future

    def _begun(self) -> tuple[Future[T], bool]:
        from concurrent.futures import Future  # noqa: PLC0415  programs start without it

        with process.state:
            if self._running is not None and self._running[0] == os.getpid():
                return self._running[1], False
            future: Future[T] = Future()
            # So that nobody who gives up waiting cancels it.
            future.set_running_or_notify_cancel()
            self._running = (os.getpid(), future)
            return future, True

    def _start(self, work: Callable[[], T], future: Future[T]) -> None:
        def run() -> None:
            try:
                result = work()
            except BaseException as problem:  # noqa: BLE001  the waiting thread gets it
                self._running = None
                future.set_exception(problem)
            else:
                self._running = None
                future.set_result(result)

        try:
            threading.Thread(target=run, daemon=True, name="mlkeys.runtime").start()
        except RuntimeError:
            # The interpreter ends, or the system allows no more threads.
            run()
