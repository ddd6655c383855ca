# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run --watch`: this process never holds a secret, since those that it starts decrypt them. It has the login.

When a file changes, another process decrypts all of them first. The program stays as it is until that has succeeded.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mlkeys._commands.secrets.environment import is_credential, pairs
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._stored.marks import Mark, mark_of
from mlkeys._stored.secrets import chosen_files
from mlkeys._system import collection
from mlkeys._system.memory_files import shared_file
from mlkeys._system.own_memory import ENDED, HandOver, blank
from mlkeys._system.processes import ChildProcess, exit_status, reap_orphans, terminate
from mlkeys._system.terminal import in_foreground, notice

# Seconds between two looks at the files, and between two attempts to decrypt what could not be decrypted.
_POLL = 0.5
_RETRY = 5.0


Marks = dict[Path, Mark | None]


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
        named: files, and folders of them. Empty for those of the current folder.
        number: of the signal to send, ``None`` for starting again.
        stop_timeout: seconds that the program has to end.
    """

    named: Sequence[Path]
    argv: Sequence[str]
    options: Options
    number: int | None
    stop_timeout: int

    def command(self, paths: Sequence[Path]) -> list[str]:
        """The command line that runs the program once, with the secrets of these files."""
        # No module of the current folder takes the place of ours, and gets the login.
        own = [sys.executable, "-P", "-m", "mlkeys", "run"]
        for path in paths:
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
    with ChildProcess(steered=True) as child:
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
        # The program has the secrets of these. Without one of them, it does not start again.
        self._used: Marks = {path: mark_of(path) for path in chosen_files(given.named)}
        self._contents = _contents(self._used)

    def run(self) -> int:
        program = self._begun(list(self._used))
        while (problem := program.channel.answer(_POLL)) is None:
            pass
        if problem:
            status = exit_status(program.process.wait())
            if problem == ENDED or self._child.received is not None:
                return status
            raise MlkeysError(problem)
        self._child.is_service = True
        program.channel.let_go()
        last = tried = self._used
        retry = 0.0
        while not program.has_ended():
            time.sleep(_POLL)
            reap_orphans(program.process.pid)
            now = self._marks()
            # What differs between two looks may be half of what somebody is just writing.
            is_settled, last = now == last, now
            if not is_settled or self._child.is_asked_to_end:
                continue
            # A file that was written again as it was, by a checkout for example, is not a change.
            if now == self._used or _contents(now) == self._contents:
                self._said, self._used = "", now
            elif now != tried or time.monotonic() > retry:
                program = self._renewed(program, now)
                retry = time.monotonic() + _RETRY
            tried = now
        return exit_status(program.process.returncode)

    def _marks(self) -> Marks:
        """Marks of the files that are used, and of those that are new in a folder."""
        found = list(self._used)
        for place in self._given.named or [Path()]:
            with suppress(MlkeysError):
                found += chosen_files([place])
        return {path: mark_of(path) for path in found}

    def _begun(self, paths: Sequence[Path], *, aside: bool = False) -> _Inner:
        """Start a process that decrypts.

        Args:
            aside: whether it runs beside the program.

        Raises:
            OSError: it cannot be started.
        """
        files: Mapping[str, int] = self._files
        refresh = aside and self._given.number is not None
        orders = {"files": files, "refresh": refresh, "replaces": aside and not refresh}
        channel = HandOver(os.environ, self._hidden, orders)
        numbers = [channel.theirs.fileno(), *files.values()]
        try:
            process = self._child.start(self._given.command(paths), channel.environment, aside=aside, pass_fds=numbers)
        except OSError:
            channel.theirs.close()
            channel.close()
            raise
        channel.give()
        return _Inner(process, channel)

    def _renewed(self, program: _Inner, marks: Marks) -> _Inner:
        """Decrypt, then send the signal to the program, or replace it; the program that runs afterwards."""
        self._child.received = None
        contents = _contents(marks)
        try:
            fresh = self._begun(list(marks), aside=True)
        except OSError as error:
            self._say(f"mlkeys cannot be started: {error.strerror}.")
            return program
        with closing(fresh.channel):
            try:
                after = self._handed_over(fresh, program, lambda: _contents(marks) == contents)
            except PermissionError:
                self._say("the program belongs to another user by now, and gets no signals from mlkeys.")
                after = None
        if after is not None:
            self._said, self._used, self._contents = "", marks, contents
        elif not program.has_ended():
            # It ends, since nobody lets it go.
            fresh.process.wait()
        return after or program

    def _handed_over(self, fresh: _Inner, program: _Inner, is_same: Callable[[], bool]) -> _Inner | None:
        """What `_renewed` does once a process has begun to decrypt. ``None`` if it cannot, or a signal came meanwhile.

        Args:
            is_same: whether the files hold what they held before it began. It may have read what is not known here,
                such as the files as they were, because one was away for a moment. The next look decides.

        Raises:
            PermissionError: the program cannot get signals.
        """
        problem = None
        while problem is None and not program.has_ended():
            problem = fresh.channel.answer(_POLL)
        if problem:
            # It has said why, and ends.
            fresh.process.wait()
            self._say(problem)
        if problem or program.has_ended() or self._child.received is not None or not is_same():
            return None
        if self._given.number is not None:
            fresh.channel.let_go()
            if fresh.process.wait():
                return None
            program.process.send_signal(self._given.number)
            return program
        self._stop(program)
        self._child.pass_signals_to(fresh.process)
        if self._child.received is not None and (self._child.received != signal.SIGHUP or in_foreground()):
            return None
        fresh.channel.let_go()
        return fresh

    def _say(self, problem: str) -> None:
        if problem != self._said and self._child.received is None:
            self._said = problem
            notice(f"A file changed, but the program stays as it is, until this is fixed: {printable(problem)}")

    def _stop(self, program: _Inner) -> None:
        notice("A file changed: starting again.")
        terminate(program.process)
        try:
            program.process.wait(self._given.stop_timeout)
        except subprocess.TimeoutExpired:
            limit = self._given.stop_timeout
            notice(f"It did not end within {limit} {'second' if limit == 1 else 'seconds'}: killing it.")
            program.process.send_signal(signal.SIGKILL)
            program.process.wait()


def _contents(paths: Iterable[Path]) -> dict[Path, bytes | None]:
    """Digests of what files hold, which is ciphertext. A file that cannot be read has none."""
    found: dict[Path, bytes | None] = {}
    for path in paths:
        try:
            found[path] = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            found[path] = None
    return found


def _shared_files(given: Watched) -> dict[str, int]:
    """A file in memory for each secret of --file, filled again before the signal."""
    if given.number is None or not hasattr(os, "memfd_create"):
        return {}
    return {name: shared_file(name) for name in pairs(given.options["file"], "--file")}
