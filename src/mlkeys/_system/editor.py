# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The user's editor, kept from leaving copies, and what signals mean while it is open."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from mlkeys._errors import MlkeysError
from mlkeys._system.processes import STOPPING, ending_with_parent, holding_signals
from mlkeys._system.terminal import in_foreground

# What git hands to a shell, but for what only separates words.
_FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\[#~=%\n]")
_VIM = re.compile(r"g?vim|nvim|rvim|vim\.\w+")
# No swap file, no memory of what was yanked, no backup, no undo file, wherever the user's settings put them.
_VIM_ARGUMENTS = ("-n", "-i", "NONE", "-c", "set nobackup nowritebackup noundofile noswapfile")
# What a terminal sends to the editor as well, which knows what it means there.
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_PATIENCE_SECONDS = 3.0


class Stopped(BaseException):
    """A signal that ends this process. What has to be wiped is wiped on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def chosen_editor(environ: Mapping[str, str]) -> str:
    """The editor that the environment names, as git chooses."""
    dumb = environ.get("TERM", "dumb") == "dumb"
    return (not dumb and environ.get("VISUAL")) or environ.get("EDITOR") or "vi"


class Guard:
    """What a signal means while there is plaintext in a file.

    An open editor is ended, and `check` raises then; a wait for the user or the server is broken off. In between,
    nothing is disturbed.
    """

    def __init__(self) -> None:
        self._with_terminal = in_foreground()
        self._editor: subprocess.Popen[bytes] | None = None
        self._waits = False
        self._stopped = 0

    def edit(self, editor: str, file: Path, environ: Mapping[str, str]) -> int:
        """Let the user edit a file; the editor's exit status.

        Raises:
            MlkeysError: the editor cannot be run.
            Stopped: a signal came meanwhile. The editor is gone.
        """
        # What editors and their programs put into temporary files is to be found beside the file.
        own = {**environ, "TMPDIR": str(file.parent)}
        problem = ""
        try:
            argv = _argv(editor, file)
            with holding_signals() as before_exec:
                self._editor = subprocess.Popen(
                    argv,
                    env=own,
                    # Under a terminal it must stay in our group, which is the one that may use the terminal.
                    process_group=None if self._with_terminal else 0,
                    preexec_fn=ending_with_parent(before_exec),  # noqa: PLW1509  one thread
                )
            status = self._editor.wait()
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or "its command line cannot be read"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._editor = None
        self.check()
        if problem:
            raise MlkeysError(f"The editor '{editor}' cannot be run: {problem}. Set VISUAL or EDITOR.")
        return status

    def check(self) -> None:
        """
        Raises:
            Stopped: a signal came.
        """
        if self._stopped:
            raise Stopped(self._stopped)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a signal break off what is done in the block."""
        self.check()
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._editor is None:
            self._stopped = number
            if self._waits:
                self._waits = False
                raise Stopped(number)
        elif number == signal.SIGALRM:
            self._send(signal.SIGKILL)
        elif not (self._with_terminal and number in _FROM_TERMINAL):
            self._stopped = number
            self._send(signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        if self._editor is not None:
            with suppress(ProcessLookupError):
                if self._with_terminal:
                    os.kill(self._editor.pid, number)
                else:
                    os.killpg(self._editor.pid, number)


@contextmanager
def guarding() -> Iterator[Guard]:
    """A guard that signals go to, for the time of the block."""
    guard = Guard()
    numbers = (*STOPPING, signal.SIGQUIT, signal.SIGALRM)
    before = {number: signal.signal(number, guard.on_signal) for number in numbers}
    try:
        yield guard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _argv(editor: str, file: Path) -> list[str]:
    if _FOR_A_SHELL.search(editor):
        return ["sh", "-c", f'{editor} "$@"', editor, *_private_options(editor.split(maxsplit=1)[0]), str(file)]
    words = shlex.split(editor)
    return [*words, *_private_options(words[0] if words else ""), str(file)]


def _private_options(program: str) -> tuple[str, ...]:
    # vi is many programs; which one, its links tell.
    real = os.path.realpath(shutil.which(program) or program)
    known = any(_VIM.fullmatch(Path(name).name) for name in (program, real))
    return _VIM_ARGUMENTS if known else ()
