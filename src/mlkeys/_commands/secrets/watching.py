# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run --watch`: this process never holds a secret, since those that it starts decrypt them. It has the login.

When a file changes, another process decrypts it first. The program stays as it is until that has succeeded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import click

from mlkeys._commands.secrets.environment import is_credential, pairs
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._system import collection
from mlkeys._system.memory_files import shared_file
from mlkeys._system.own_memory import ENDED, HandOver, blank
from mlkeys._system.processes import ChildProcess, exit_status

# Seconds between two looks at the files, and between two attempts to decrypt what could not be decrypted.
_POLL = 0.5
_RETRY = 5.0


class Options(TypedDict):
    """The options that decide what the program gets."""

    names: tuple[str, ...]
    env_name: str
    env: tuple[str, ...]
    file: tuple[str, ...]
    inherit: bool
    keep_login: bool


@dataclass(frozen=True)
class Watched:
    """What to run, and what to do when a file changes.

    Attributes:
        number: of the signal to send, ``None`` for starting again.
        stop_timeout: seconds that the program has to end.
    """

    paths: Sequence[Path]
    argv: Sequence[str]
    options: Options
    number: int | None
    stop_timeout: int

    @property
    def command(self) -> list[str]:
        """The command line that runs the program once."""
        own = [sys.executable, "-m", "mlkeys", "run"]
        for path in self.paths:
            own += ["-f", str(path)]
        for name in self.options["names"]:
            own += ["--only", name]
        own += ["--env-name", self.options["env_name"]]
        for option, given in (("--env", self.options["env"]), ("--file", self.options["file"])):
            for pair in given:
                own += [option, pair]
        own += [] if self.options["inherit"] else ["--no-inherit"]
        own += ["--keep-login"] if self.options["keep_login"] else []
        return [*own, "--", *self.argv]


@dataclass(frozen=True)
class _Inner:
    """A process that decrypts, and becomes the program once it is let go."""

    process: subprocess.Popen[str]
    channel: HandOver

    def has_ended(self) -> bool:
        return self.process.poll() is not None


def watch_files(given: Watched, login_variables: Callable[[], tuple[set[str], set[str]]]) -> int:
    """Run the program until it ends by itself; its exit status.

    Raises:
        MlkeysError: the secrets cannot be decrypted, so it was not started.
    """
    with ChildProcess() as child:
        return _Watcher(given, child, _hide_login(login_variables)).run()


def _hide_login(login_variables: Callable[[], tuple[set[str], set[str]]]) -> list[str]:
    """Take the login from where the program that is started could read it, though it runs as the same user.

    Returns the names of its variables, which this process keeps.
    """
    collection.load_reading()
    login, addresses = login_variables()
    hidden = [name for name in os.environ if name in login | addresses or is_credential(name)]
    blank(hidden)
    return hidden


class _Watcher:
    """Watches files beside the program.

    It says once why the secrets cannot be decrypted, and tries again.
    """

    def __init__(self, given: Watched, child: ChildProcess, hidden: Sequence[str]) -> None:
        self._given = given
        self._child = child
        self._hidden = hidden
        self._said = ""
        # Of a program that only gets a signal: its environment cannot change, but its files can.
        self._files = _shared_files(given)

    def run(self) -> int:
        marks = _marks(self._given.paths)
        program = self._begun(refresh=False)
        while (problem := program.channel.answer(_POLL)) is None:
            pass
        if problem:
            status = exit_status(program.process.wait())
            if problem == ENDED or self._child.received is not None:
                return status
            raise MlkeysError(problem)
        program.channel.let_go()
        retry: float | None = None
        while not program.has_ended():
            time.sleep(_POLL)
            now = _marks(self._given.paths)
            is_due = now != marks or (retry is not None and time.monotonic() > retry)
            if not is_due or self._child.received is not None:
                continue
            marks = now
            fresh, retry = self._renewed(program)
            program = fresh or program
        return exit_status(program.process.returncode)

    def _begun(self, *, refresh: bool) -> _Inner:
        """Start a process that decrypts."""
        files: Mapping[str, int] = self._files
        channel = HandOver(os.environ, self._hidden, {"files": files, "refresh": refresh})
        numbers = [channel.theirs.fileno(), *files.values()]
        process = self._child.start(self._given.command, channel.environment, pass_fds=numbers)
        channel.give()
        return _Inner(process, channel)

    def _renewed(self, program: _Inner) -> tuple[_Inner | None, float | None]:
        """Decrypt, then send the signal, or replace the program.

        Returns:
            The program that replaces it, and when to try again.
        """
        refresh = self._given.number is not None
        fresh = self._begun(refresh=refresh)
        with closing(fresh.channel):
            problem = None
            while problem is None and not program.has_ended():
                problem = fresh.channel.answer(_POLL)
            if problem or program.has_ended():
                self._say(problem)
                return None, time.monotonic() + _RETRY
            self._said = ""
            if self._given.number is not None:
                fresh.channel.let_go()
                fresh.process.wait()
                program.process.send_signal(self._given.number)
                return None, None
            self._stop(program)
            if self._child.received is not None:
                return None, None
            fresh.channel.let_go()
        return fresh, None

    def _say(self, problem: str | None) -> None:
        if problem and problem != self._said and self._child.received is None:
            self._said = problem
            click.echo(
                f"A file changed, but the program stays as it is, until this is fixed: {printable(problem)}", err=True
            )

    def _stop(self, program: _Inner) -> None:
        click.echo("A file changed: starting again.", err=True)
        program.process.terminate()
        try:
            program.process.wait(self._given.stop_timeout)
        except subprocess.TimeoutExpired:
            click.echo(f"It did not end within {self._given.stop_timeout} seconds: killing it.", err=True)
            program.process.send_signal(signal.SIGKILL)
            program.process.wait()


def _shared_files(given: Watched) -> dict[str, int]:
    """A file in memory for each secret of --file, filled again before the signal."""
    if given.number is None or not hasattr(os, "memfd_create"):
        return {}
    return {name: shared_file(name) for name in pairs(given.options["file"], "--file")}


def _marks(paths: Sequence[Path]) -> list[tuple[int, int, int] | None]:
    """Marks of the files, which differ when one changes. A file that is just being replaced has none."""
    marks: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = path.stat()
            marks.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            marks.append(None)
    return marks
