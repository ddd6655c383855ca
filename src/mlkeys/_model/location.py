# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Source locations in the user's program."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120  pathlib would be most of the import's time


class Location(NamedTuple):
    """A line of a source file."""

    file: str
    line: int

    @lru_cache(maxsize=1024)  # noqa: B019  a program has few lines, and many constructs at each
    def seen_from(self, folder: str) -> str:
        """Return `file:line` without the path of this machine: relative to the folder, else the bare name."""
        inside = self.file.startswith(folder + os.sep) if folder else not self.file.startswith(os.sep)
        name = self.file[len(folder) + 1 :] if inside and folder else self.file
        return f"{name if inside else os.path.basename(self.file)}:{self.line}".replace(os.sep, "/")  # noqa: PTH119


def call_site() -> Location:
    """Return the line of the user's code that led here: the nearest frame outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001  the public way, inspect.stack, reads source files
    while frame.f_back is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return _location(frame.f_code.co_filename, frame.f_lineno)


@lru_cache(maxsize=1024)
def _location(file: str, line: int) -> Location:
    """Return one location for all constructs of a line."""
    return Location(file, line)


def raised_at(problem: BaseException) -> Location | None:
    """Return the innermost line of the user's code that led to an exception."""
    found, trace = None, problem.__traceback__
    while trace is not None:
        if is_users(trace.tb_frame.f_code.co_filename):
            found = Location(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return found


def without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return the same lines of the user's code, without those of this package."""
    kept = []
    while trace is not None:
        if not is_ours(trace.tb_frame.f_code.co_filename):
            kept.append(trace)
        trace = trace.tb_next
    made = None
    for one in reversed(kept):
        made = type(one)(made, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return made


def is_ours(file: str) -> bool:
    """Whether a file belongs to this package."""
    # "<string>" is where dataclasses keep the code they generate.
    return file.startswith(_PACKAGE) or file == "<string>"


def is_users(file: str) -> bool:
    """Whether a file belongs to the user's program: neither to this package nor to Python and its libraries."""
    import sysconfig  # noqa: PLC0415  only for programs that fail

    libraries = [f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    foreign = file.startswith((*libraries, "<")) or f"{os.sep}ansible_collections{os.sep}" in file
    return not foreign and not is_ours(file)
