# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that a command starts: where they are, and why they cannot be run."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from mlkeys._errors import MlkeysError

# Bytes, with the name and what ends it. Linux: MAX_ARG_STRLEN.
_LONGEST_VARIABLE = 128 * 1024


def check_command(argv: Sequence[str]) -> None:
    """Exit with the status of a shell for a command that no system can run. One without words is none."""
    if argv and not argv[0]:
        _stop(127, "The command is empty")
    if any("\0" in word for word in argv):
        _stop(126, "The command contains the character NUL")


def _stop(status: int, problem: str) -> NoReturn:
    click.echo(f"Error: {problem}.", err=True)
    sys.exit(status)


def exit_as_shell(name: str, environment: Mapping[str, str], error: OSError) -> NoReturn:
    """Exit with the status of a shell for a program that cannot be run, and say why it cannot."""
    status, problem = failure(name, environment, error)
    _stop(status, f"{name}: {problem}")


def is_text(path: Path) -> bool:
    """Whether a file may be a script. A program of another machine is not: a shell would run what it finds there."""
    try:
        with path.open("rb") as file:
            return b"\0" not in file.read(1024)
    except OSError:
        return False


def runnable(name: str, environment: Mapping[str, str]) -> Iterable[Path]:
    """The programs of a name, in the order of the search."""
    return (place for place in filter(os.path.isfile, _places(name, environment)) if os.access(place, os.X_OK))


def failure(name: str, environment: Mapping[str, str], error: OSError) -> tuple[int, str]:
    """The exit status that a shell has for a program that cannot be run, and why it cannot."""
    is_there = any(map(os.path.isfile, _places(name, environment)))
    # Folders of the PATH that may not be searched refuse any name.
    if isinstance(error, FileNotFoundError) or not (is_there or "/" in name):
        return 127, "the interpreter that it names was not found" if is_there else "command not found"
    longest = _too_long(environment) if error.errno == errno.E2BIG else ""
    return 126, longest or error.strerror or "it cannot be run"


def check_runnable(name: str, environment: Mapping[str, str]) -> None:
    """Check that a program can take the place of one that runs, before that is ended.

    Raises:
        MlkeysError: it is not there, may not be run, or would get a variable that is too long.
    """
    if not any(runnable(name, environment)):
        raise MlkeysError(f"{name}: command not found.")
    if problem := _too_long(environment):
        raise MlkeysError(f"{problem}.")


def _places(name: str, environment: Mapping[str, str]) -> list[Path]:
    """Where a program is searched."""
    return [Path(name)] if "/" in name else [Path(folder, name) for folder in os.get_exec_path(environment)]


def _too_long(environment: Mapping[str, str]) -> str:
    """What to do about variables that no program can get, empty if there are none."""
    names = [name for name, value in environment.items() if len(os.fsencode(f"{name}={value}")) >= _LONGEST_VARIABLE]
    if not names:
        return ""
    return f"{', '.join(names)}: an environment variable holds less than 128 KiB; give the secret as a file (--file)"
