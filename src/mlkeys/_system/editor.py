# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The user's editor: run so that it leaves no copies, and ended by signals."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import dropwhile
from pathlib import Path
from types import FrameType

from mlkeys._errors import MlkeysError
from mlkeys._system import vim
from mlkeys._system.processes import STOPPING, ending_with_parent, holding_signals
from mlkeys._system.terminal import has_terminal, in_foreground

# The characters for which git runs an editor through a shell, less those that only separate words.
_FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\[#~=%\n]")
# Those of them that change the words.
_OF_A_SHELL = re.compile(r"[|&;<>()$`*?\[#~%\n]")
_VARIABLE = re.compile(r"\w+=")
# Options that change the environment of what it starts.
_OF_ENV = re.compile(r"-|-i|--ignore-environment|--unset=.*")
# Vim then reads another file, or none, in place of the one in its environment. Its arguments still reach it.
_IGNORES_SETTINGS = re.compile(r"-[uU]|--clean|--cmd|-[eE]s?$|-s$")
_HARMLESS_VARIABLE = re.compile(r"(?!VIMINIT=|MLKEYS_)\w+=")
_VIM = re.compile(r"g?vim|nvim|rvim|vim\.\w+")
# The terminal sends these to the editor as well, which handles them itself.
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_PATIENCE_SECONDS = 3.0
# Graphical editors that return at once, and the options that make them wait.
_RETURNING = {
    **dict.fromkeys(
        ("code", "code-insiders", "code-oss", "codium", "vscodium", "cursor", "windsurf", "zed", "zeditor"),
        ("--wait", "-w"),
    ),
    **dict.fromkeys(("antigravity", "kiro", "positron", "trae", "void"), ("--wait", "-w")),
    **dict.fromkeys(("datagrip", "phpstorm", "rider", "rubymine", "rustrover"), ("--wait", "-w")),
    **dict.fromkeys(("subl", "sublime_text", "atom", "mate", "pulsar"), ("--wait", "-w")),
    **dict.fromkeys(("idea", "pycharm", "webstorm", "goland", "clion", "xed"), ("--wait", "-w")),
    **dict.fromkeys(("com.visualstudio.code", "com.vscodium.codium", "dev.zed.Zed"), ("--wait", "-w")),
    **dict.fromkeys(("bbedit", "nova"), ("--wait", "-w")),
    **dict.fromkeys(("gvim", "mvim"), ("--nofork", "-f")),
    "nvim-qt": ("--nofork",),
    "open": ("-W",),
    "kate": ("--block", "-b"),
    "gedit": ("--wait", "-w"),
    "gnome-text-editor": ("--standalone", "-s"),
}
# What makes an editor return at once that waits without it.
_NOT_WAITING = {"emacsclient": ("-n", "--no-wait")}
# What opens a file in another program, for which it cannot wait.
_NEVER_WAITING = ("xdg-open", "gio", "gnome-open", "kde-open", "kde-open5", "wslview")


class Stopped(BaseException):
    """A signal that ends this process, after the plaintext is wiped."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def chosen_editor(environ: Mapping[str, str]) -> str:
    """The editor from the environment, chosen as git does."""
    dumb = environ.get("TERM", "dumb") == "dumb"
    return (not dumb and environ.get("VISUAL")) or environ.get("EDITOR") or "vi"


def is_known(editor: str) -> bool:
    """Whether it is Vim or Neovim, and gets the settings to keep nothing.

    These reach it as arguments where the words of the command line say what it starts. Otherwise it has only its
    environment: no option may ignore that, and nothing may take it away, as sudo does.
    """
    if _is_vim(_started(editor)):
        return True
    try:
        words = shlex.split(editor)
    except ValueError:
        return False
    started = words[1:] if words and Path(words[0]).name == "env" else words
    started = list(dropwhile(_HARMLESS_VARIABLE.match, started))
    return bool(started) and _is_vim(started[0]) and not any(map(_IGNORES_SETTINGS.match, words))


def _started(editor: str) -> str:
    """The program that a command line starts, behind variables or by `env` as well; empty where only a shell knows."""
    try:
        words = [] if _OF_A_SHELL.search(editor) else shlex.split(editor)
    except ValueError:
        return ""
    rest = dropwhile(_VARIABLE.match, words)
    started = next(rest, "")
    if Path(started).name != "env":
        return started
    for word in rest:
        if word in ("-u", "--unset"):
            next(rest, "")
        elif not (_VARIABLE.match(word) or _OF_ENV.fullmatch(word)):
            return "" if word.startswith("-") else word
    return ""


class Guard:
    """Handles signals while there is plaintext in a file.

    A signal ends an open editor, after which `check` raises, and interrupts a wait for the user or the server. At any
    other time it is kept until the next `check`.
    """

    def __init__(self) -> None:
        self._with_terminal = has_terminal()
        self._editor: subprocess.Popen[bytes] | None = None
        self._waits = False
        self._stopped = 0

    def edit(self, editor: str, file: Path, environ: Mapping[str, str]) -> int:
        """Let the user edit a file, and return the editor's exit status.

        Raises:
            MlkeysError: the editor cannot be run.
            Stopped: a signal arrived. The editor was ended.
        """
        _check_waits(editor)
        # Temporary files of the editor are then beside the file, and are wiped with it.
        own = {**vim.keeping_nothing(environ, file.parent), "TMPDIR": str(file.parent)}
        problem = ""
        try:
            argv = _argv(editor, file)
            with holding_signals() as before_exec:
                self._editor = subprocess.Popen(
                    argv,
                    env=own,
                    # On a terminal it must stay in our process group, the one that a shell gives the terminal to.
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
            Stopped: a signal arrived.
        """
        if self._stopped:
            raise Stopped(self._stopped)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a signal interrupt the block."""
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
        elif not (number in _FROM_TERMINAL and in_foreground()):
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
    """A guard that handles the signals, for the time of the block."""
    guard = Guard()
    numbers = (*STOPPING, signal.SIGQUIT, signal.SIGABRT, signal.SIGALRM)
    before = {number: signal.signal(number, guard.on_signal) for number in numbers}
    try:
        yield guard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _argv(editor: str, file: Path) -> list[str]:
    if _FOR_A_SHELL.search(editor):
        return ["sh", "-c", f'{editor} "$@"', editor, *_private_options(editor), str(file)]
    return [*shlex.split(editor), *_private_options(editor), str(file)]


def _check_waits(editor: str) -> None:
    """Refuse graphical editors that return before the file is closed.

    Raises:
        MlkeysError: the editor needs an option for that.
    """
    with suppress(ValueError):
        words = shlex.split(editor)
        # Behind env, sudo or flatpak run, it is not the first word. A shell gets it in one of its own.
        inner = [part for word in words for part in (shlex.split(word) if " " in word else [word])]
        name = next((name for name in (Path(word).name for word in inner) if name in _RETURNING), "")
        if name and not set(inner) & set(_RETURNING[name]):
            option = _RETURNING[name][0]
            advice = (
                f"Give {name} the option {option}" if len(inner) > len(words) else f"Set EDITOR='{editor} {option}'"
            )
            raise MlkeysError(f"The editor '{editor}' returns before the file is closed. {advice}.")
        names = {Path(word).name for word in words}
        if any(set(words) & set(_NOT_WAITING[name]) for name in names & set(_NOT_WAITING)):
            kept = shlex.join(word for word in words if word not in ("-n", "--no-wait"))
            raise MlkeysError(f"The editor '{editor}' returns before the file is closed. Set EDITOR='{kept}'.")
        if words and Path(words[0]).name in _NEVER_WAITING:
            raise MlkeysError(f"'{editor}' returns before the file is closed. Set EDITOR to an editor that waits.")


def _private_options(editor: str) -> tuple[str, ...]:
    first, *_others = editor.split(maxsplit=1) or [""]
    return vim.ARGUMENTS if _is_vim(_started(editor) or first) else ()


def _is_vim(program: str) -> bool:
    # vi may be any of several programs: follow the links to see which one.
    real = os.path.realpath(shutil.which(program) or program)
    return any(_VIM.fullmatch(Path(name).name) for name in (program, real))
