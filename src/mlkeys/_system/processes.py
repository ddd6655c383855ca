# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Child processes: signals are passed on to them, and none of them outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypedDict, Unpack

from mlkeys._system.terminal import has_terminal, in_foreground

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What services are steered with: they open their logs again, end in peace, or replace their workers.
_STEERING = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)
# The same. On a terminal, they stop who uses it from the background.
_OF_BACKGROUND = (signal.SIGTTIN, signal.SIGTTOU)
# These, a terminal sends to all processes in its foreground.
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# Orphans: seconds until SIGKILL follows SIGTERM, until what even that does not end is left, and between two looks.
_GRACE = 2.0
_LIMIT = 10.0
# Seconds that a command has to end after Ctrl-C. Ansible needs less than two, unless a worker that it was just starting
# missed the signal: then it waits for that one forever.
_PATIENCE = 5.0
_INTERVAL = 0.05


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


def steering() -> set[int]:
    """The signals that a service may be steered with, those to stop it left out."""
    real_time = range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if sys.platform == "linux" else ()
    return {*_STEERING, *real_time, *(() if has_terminal() else _OF_BACKGROUND)}


def hold_out() -> None:
    """Let no signal for a service end this process before it becomes that service. Exec undoes it."""
    for number in steering():
        signal.signal(number, lambda *_: None)


def reap_orphans(spared: int) -> None:
    """Collect the children that have ended, but the spared one. The first process of a container gets all orphans."""
    if os.getpid() == 1:
        for pid in _children() - {spared}:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _children() -> set[int]:
    """The processes whose parent is this one, those that it adopted included; none where the system lists none."""
    found: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended
            found.update(map(int, listed.read_text(encoding="ascii").split()))
    return found


def _adopt_orphans() -> None:
    """Become the parent of whatever descendant loses its own, instead of the system's first process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _end_orphans(spared: set[int]) -> None:
    """End the children of this process but the spared ones, and then what these leave, until none is left."""
    begun = time.monotonic()
    while (orphans := _children() - spared) and (elapsed := time.monotonic() - begun) < _LIMIT:
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGTERM if elapsed < _GRACE else signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                pass  # it has ended
            except PermissionError:  # it became somebody else
                spared.add(pid)
        time.sleep(_INTERVAL)


def _end_in_time(command: int) -> None:
    """Wait for the end of a command that got a signal, and see to it. Its status stays for the code that waits."""
    begun = time.monotonic()
    with suppress(ChildProcessError, ProcessLookupError):
        while os.waitid(os.P_PID, command, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            elapsed = time.monotonic() - begun
            if elapsed > _PATIENCE:
                os.kill(command, signal.SIGTERM if elapsed < _PATIENCE + _GRACE else signal.SIGKILL)
            time.sleep(_INTERVAL)


def _pass_on(number: int, command: int) -> None:
    # It may have ended, or have become somebody else.
    with suppress(ProcessLookupError, PermissionError):
        send = os.killpg if os.getpgid(command) == command else os.kill
        if not _has_from_terminal(number, command):
            send(command, number)
        if number in STOPPING and _is_stopped(command):
            # Only one that goes on can follow.
            send(command, signal.SIGCONT)


def _steer(number: int, command: int) -> None:
    # Unlike what stops it, this is not for its children, which it would end if they don't expect it.
    with suppress(ProcessLookupError, PermissionError):
        if not _has_from_terminal(number, command):
            os.kill(command, number)


def _has_from_terminal(number: int, command: int) -> bool:
    """Whether the terminal sends this signal to the command itself."""
    return number in _OF_TERMINAL and os.getpgid(command) == os.getpgrp() and in_foreground()


def _is_stopped(command: int) -> bool:
    """Whether a signal such as SIGTSTP has stopped a child, and none has continued it."""
    return _stopped_by(command) is not None


def _stopped_by(command: int) -> int | None:
    """The signal that has stopped a child, ``None`` if none has, or if the system does not show it."""
    if sys.platform == "darwin":
        return None
    with suppress(ChildProcessError):
        # WNOWAIT leaves the status to the caller that waits.
        if found := os.waitid(os.P_PID, command, os.WSTOPPED | os.WNOHANG | os.WNOWAIT):
            return found.si_status
    return None


def _follow_stop(command: int) -> None:
    """Stop as a child has, and continue it when this process continues: a shell sees this process alone."""
    # One that stopped both also continues both, in any order.
    if not _is_stopped(command):
        return
    time.sleep(_INTERVAL)
    number = _stopped_by(command)
    if number is None:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
    try:
        # Where nobody could continue this process, that does nothing. SIGSTOP would stop it nevertheless.
        signal.raise_signal(signal.SIGTSTP if number == signal.SIGSTOP else number)
        if signal.SIGCONT in signal.sigpending():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(command, signal.SIGCONT)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Settings(TypedDict, total=False):
    """What a command is started with, as `subprocess.Popen` has it."""

    cwd: Path | None
    stdout: int | None
    stderr: int | None
    pass_fds: Sequence[int]


class ChildProcess:
    """A command to which the stopping signals are passed on. Before it starts, they end this process.

    With `orphans`, a command that such a signal stopped ends within seconds, and leaves no process behind: Ansible
    misses a worker that it was just starting, which then carries out its task to the end, in a session of its own.

    With `steered`, the signals that a service is steered with are passed on as well, and end nothing before.

    Attributes:
        received: the last stopping signal that arrived while the command ran.
        is_service: whether the command has become the service that may be steered.
        is_asked_to_end: whether a SIGTERM was among them, which a command may take its time to follow.
    """

    def __init__(self, *, orphans: bool = False, steered: bool = False) -> None:
        self.received: int | None = None
        self.is_service = False
        self.is_asked_to_end = False
        self._orphans = orphans
        self._steering = steering() if steered else set()
        self._follows_stops = has_terminal()
        self._spared: set[int] = set()
        self._ending: threading.Thread | None = None
        self._command: subprocess.Popen[str] | None = None
        self._over = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in STOPPING}
        self._before |= {number: signal.signal(number, self._on_steering) for number in self._steering}
        if self._follows_stops:
            self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._on_child)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def running(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        **settings: Unpack[Settings],
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the command, and wait for its end after the block.

        Raises:
            OSError: it cannot be started.
        """
        if self._orphans:
            _adopt_orphans()
            self._spared = _children()
        try:
            with self.start(command, environment, **settings) as started:
                yield started
        finally:
            self._over = True
            if self._ending is not None:
                self._ending.join()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        aside: bool = False,
        **settings: Unpack[Settings],
    ) -> subprocess.Popen[str]:
        """Start a command. The caller waits for its end.

        Args:
            aside: whether it runs beside the one that gets the signals, and gets none before `pass_signals_to`.

        Raises:
            OSError: it cannot be started.
        """
        # On a terminal the command must stay in our process group: a shell gives the terminal to this group, stops and
        # continues it, whether it is in the foreground by now or not.
        # Elsewhere it leads its own group, so that a signal also reaches its children.
        leads = not has_terminal()
        with holding_signals() as before_exec:
            started = subprocess.Popen(
                command,
                env=environment,
                **settings,
                encoding="utf-8",
                errors="replace",
                process_group=0 if leads else None,
                preexec_fn=ending_with_parent(before_exec),  # noqa: PLW1509  one thread
            )
            if not aside:
                self.pass_signals_to(started)
        return started

    def pass_signals_to(self, command: subprocess.Popen[str]) -> None:
        """Let this command get the signals from now on, and no other."""
        self._command = command
        if self._follows_stops:
            # It may have stopped before.
            _follow_stop(command.pid)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._over:
            return  # the clean-up has begun
        command = self._command
        if command is None:
            self._over = True
            sys.exit(128 + number)
        if self._orphans and self.received is None:
            # In a thread, since an orphan may hold the pipes that the caller reads to their end.
            self._ending = threading.Thread(target=self._end_what_is_left, args=(command.pid,), daemon=True)
            self._ending.start()
        self.received = number
        self.is_asked_to_end |= number == signal.SIGTERM
        # The number of one that has ended may be that of another process.
        if command.returncode is None:
            _pass_on(number, command.pid)

    def _on_steering(self, number: int, _frame: FrameType | None) -> None:
        if self.is_service and self._command is not None and self._command.returncode is None:
            _steer(number, self._command.pid)

    def _on_child(self, _number: int, _frame: FrameType | None) -> None:
        if self._command is not None and self._command.returncode is None:
            _follow_stop(self._command.pid)

    def _end_what_is_left(self, command: int) -> None:
        _end_in_time(command)
        _end_orphans({*self._spared, command})


def terminate(command: subprocess.Popen[str]) -> None:
    """Ask a command to end, also one that is stopped.

    Raises:
        PermissionError: it has become somebody else.
    """
    command.terminate()
    if command.returncode is None and _is_stopped(command.pid):
        command.send_signal(signal.SIGCONT)


def exit_status(returned: int) -> int:
    """The exit status as a shell reports it: 128 + N for signal N."""
    return returned if returned >= 0 else 128 - returned
