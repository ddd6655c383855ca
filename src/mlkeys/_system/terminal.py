# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The controlling terminal: who has it, what is entered there unseen, and what is written for people."""

from __future__ import annotations

import io
import os
import re
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable

_PASTE_BEGINS, _PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
_PASTE_MARK = re.compile(rb"(\x1b\[20[01]~)")
_PART_OF_A_MARK = re.compile(rb"\x1b(?:\[(?:2(?:0[01]?)?)?)?\Z")
# Lets a terminal mark where a paste begins and ends.
_MARK_PASTES, _NO_MARKS = b"\x1b[?2004h", b"\x1b[?2004l"

# Seconds between two looks for signals; those without input after which a line was the last one, or a paste whose end
# has not come is over.
_LOOK = 0.5
_SETTLED = 0.1
_PASTE_PAUSE = 5.0
_LEAVING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)


def has_terminal() -> bool:
    """Whether a terminal controls this process."""
    return _foreground() is not None


def in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, and so receives its Ctrl-C."""
    return _foreground() == os.getpgrp()


def _foreground() -> int | None:
    """The process group in the foreground of the terminal, ``None`` without a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(terminal)
    finally:
        os.close(terminal)


class Line:
    """A line that somebody types or pastes, and whatever comes after it. Pure.

    Attributes:
        is_complete: whether its end has come.
        is_left: whether Ctrl-D came instead.
        is_pasting: whether a paste has begun, and not ended.
    """

    def __init__(self, control: list[Any]) -> None:
        """
        Args:
            control: the control characters, as `termios` has them.
        """
        self.clear()
        self._erase, self._erase_word, self._erase_all, self._leave = (
            control[place] for place in (termios.VERASE, termios.VWERASE, termios.VKILL, termios.VEOF)
        )

    def clear(self) -> None:
        """Start over."""
        self.is_complete = self.is_left = self.is_pasting = self._has_breaks = False
        self._content, self._after, self._pasted = bytearray(), bytearray(), bytearray()
        self._mark = b""

    def take(self, entered: bytes) -> None:
        """Take what was entered next."""
        entered = self._mark + entered
        part = _PART_OF_A_MARK.search(entered)
        self._mark = part[0] if part else b""
        for piece in _PASTE_MARK.split(entered.removesuffix(self._mark)):
            if piece == _PASTE_BEGINS:
                self.is_pasting = True
            elif piece == _PASTE_ENDS:
                self._paste(bytes(self._pasted))
                self.is_pasting = False
                self._pasted.clear()
            elif self.is_pasting:
                self._pasted += piece
            else:
                self._type(piece)

    def text(self, advice: str) -> str:
        """What was entered.

        Args:
            advice: how else to enter several lines.

        Raises:
            MlkeysError: it has several lines, or is not UTF-8 text.
        """
        if self._has_breaks or self._after.strip():
            raise MlkeysError(f"The value has several lines: {advice}.")
        try:
            return self._content.decode()
        except UnicodeDecodeError:
            pass
        raise MlkeysError("What was entered is not UTF-8 text.")

    def _paste(self, pasted: bytes) -> None:
        line = pasted.rstrip(b"\r\n")
        if self.is_complete:
            self._after += line
            return
        self._content += line
        self._has_breaks = b"\n" in line or b"\r" in line
        self.is_complete = self._has_breaks or line != pasted

    def _type(self, typed: bytes) -> None:
        for place in range(len(typed)):
            one = typed[place : place + 1]
            if self.is_complete:
                self._after += one
            elif one in (b"\n", b"\r"):
                self.is_complete = True
            elif one in (self._erase, b"\b", b"\x7f"):
                self._erase_one()
            elif one == self._erase_word != b"\0":
                before, space, _ = self._content.rstrip().rpartition(b" ")
                del self._content[len(before + space) :]
            elif one == self._erase_all != b"\0":
                self._content.clear()
            elif one == self._leave != b"\0":
                self.is_left |= not self._content
            else:
                self._content += one

    def _erase_one(self) -> None:
        # The last character, of one byte or of several.
        while self._content and self._content.pop() & 0xC0 == 0x80:
            pass


def ask_unseen(question: str, advice: str) -> str:
    """Ask for a line at the terminal, which does not show it.

    The terminal itself would cut a line after 4095 bytes. What is pasted after the line reaches no other program: a
    shell would run it.

    Args:
        advice: how else to enter several lines.

    Raises:
        click.Abort: Ctrl-D was entered, or the terminal is gone.
        MlkeysError: several lines were entered, or no text.
    """
    import click  # noqa: PLC0415  programs with secrets may do without it

    with _keys_as_they_come(f"{question}: ".encode()) as (terminal, line), suppress(OSError, EOFError):
        while not (line.is_complete or line.is_left):
            # A signal that comes just before a read would wait with it.
            if _is_readable(terminal, _LOOK):
                line.take(_read(terminal))
        while _is_readable(terminal, _PASTE_PAUSE if line.is_pasting else _SETTLED):
            line.take(_read(terminal))
    if not line.is_complete:
        raise click.Abort
    return line.text(advice)


def _is_readable(terminal: int, seconds: float) -> bool:
    return bool(select.select([terminal], [], [], seconds)[0])


def _read(terminal: int) -> bytes:
    """
    Raises:
        EOFError: the terminal is gone.
    """
    if entered := os.read(terminal, 65536):
        return entered
    raise EOFError


@contextmanager
def _keys_as_they_come(question: bytes) -> Iterator[tuple[int, Line]]:
    """Let the terminal show nothing that is entered, and hand over each key at once.

    It is as before when the block ends, and while a signal stops or ends this process.

    Yields the terminal, and a line to take what is entered, which starts over after a stop.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        terminal = os.dup(sys.stdin.fileno())
    before = termios.tcgetattr(terminal)
    line = Line(before[6])
    control = [*before[6]]
    control[termios.VMIN], control[termios.VTIME] = 1, 0
    flags = before[3] & ~(termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN)
    unseen = [*before[:3], flags, *before[4:6], control]
    marks = (_MARK_PASTES, _NO_MARKS) if os.environ.get("TERM", "dumb") != "dumb" else (b"", b"")

    def begin() -> None:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, unseen)
        os.write(terminal, marks[0] + question)

    def end() -> None:
        # It may be gone.
        with suppress(OSError, termios.error):
            os.write(terminal, marks[1] + b"\n")
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)

    def leave(number: int, _frame: object) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Only one that was stopped goes on.
        signal.signal(number, leave)
        line.clear()
        begin()

    changed = [number for number in _LEAVING if signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in changed:
            signal.signal(number, leave)
        begin()
        yield terminal, line
    finally:
        end()
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
        os.close(terminal)


def notice(text: str, colour: str | None = None) -> None:
    """Write a line to standard error, if that can be written. A notice must not end what it is about."""
    import click  # noqa: PLC0415  programs with secrets may do without it

    try:
        click.secho(printable(text), fg=colour, err=True)
    except OSError:
        # Its buffer keeps the line, which would fail again with the next one, and at the end. This one has no buffer.
        raw = io.FileIO(2, "w", closefd=False)
        sys.stderr = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
