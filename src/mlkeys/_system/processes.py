# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Child processes: signals are passed on to them, and none of them outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

from mlkeys._system.terminal import in_foreground

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1


@contextmanager
def holding_signals() -> Iterator[Callable[[], None]]:
    """Block the stopping signals until the parent knows the new process.

    Yields a function for the child to run before exec.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield in_child
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ending_with_parent(before_exec: Callable[[], None]) -> Callable[[], None]:
    """`before_exec`, and a request to the kernel to end the child when this process dies, even from SIGKILL."""
    if sys.platform != "linux":
        return before_exec
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_child() -> None:
        before_exec()
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the request was made
            os.kill(os.getpid(), signal.SIGTERM)

    return in_child


class ChildProcess:
    """A command to which the stopping signals are passed on. Before it starts, they end this process.

    Attributes:
        received: the last signal that arrived while the command ran.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._command: subprocess.Popen[str] | None = None
        self._group = False
        self._over = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in STOPPING}
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def running(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the command, and wait for its end after the block.

        Raises:
            OSError: it cannot be started.
        """
        # On a terminal the command must stay in our process group, the one that may use the terminal.
        # Elsewhere it leads its own group, so that a signal also reaches its children.
        self._group = not in_foreground()
        try:
            with holding_signals() as before_exec:
                self._command = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=cwd,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=pass_fds,
                    encoding="utf-8",
                    errors="replace",
                    process_group=0 if self._group else None,
                    preexec_fn=ending_with_parent(before_exec),  # noqa: PLW1509  one thread
                )
            with self._command:
                yield self._command
        finally:
            self._over = True

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._over:
            return  # the clean-up has begun
        if self._command is None:
            self._over = True
            sys.exit(128 + number)
        self.received = number
        with suppress(ProcessLookupError):
            if self._group:
                os.killpg(self._command.pid, number)
            elif number != signal.SIGINT:  # the terminal sends Ctrl-C to the command itself
                os.kill(self._command.pid, number)


def exit_status(returned: int) -> int:
    """The exit status as a shell reports it: 128 + N for signal N."""
    return returned if returned >= 0 else 128 - returned
