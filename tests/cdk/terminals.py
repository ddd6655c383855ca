# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program on a terminal of its own, as a person does: what is typed goes in, what is shown comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_PATIENCE = 30.0


class Terminal:
    """A program and the terminal that it runs on."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.shown = ""
        self._waited = 0

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, words: str) -> None:
        """Wait until something is shown behind what the last wait found, with which it may have been read."""
        deadline = time.monotonic() + _PATIENCE
        while (place := self.shown.find(words, self._waited)) < 0:
            assert time.monotonic() < deadline, f"{words!r} was not shown, but:\n{self.shown}"
            self._read()
        self._waited = place + len(words)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so that the terminal does not show."""
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            assert time.monotonic() < deadline, f"It does not happen. Shown was:\n{self.shown}"
            self._read()

    def wait(self) -> int:
        """Wait until the program ends; its exit status."""
        deadline = time.monotonic() + _PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"It does not end. Shown was:\n{self.shown}"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 0.05)
        if not ready:
            return False
        # When the last program has left a terminal, it is at an end with an error.
        with contextlib.suppress(OSError):
            text = os.read(self._master, 65536).decode(errors="replace")
            self.shown += text
            return text != ""
        return False


def state_of(pid: int) -> str:
    """The state of a process as the kernel writes it, such as T for a stopped one; empty once it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0].replace("Z", "")
    return ""


@contextlib.contextmanager
def on_a_terminal(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Iterator[Terminal]:
    master, slave = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", **env},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509  it makes one call of the system
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
