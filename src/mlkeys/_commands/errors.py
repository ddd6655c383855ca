# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How commands report errors and warnings."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mlkeys._errors import AppInvalid, MlkeysError
from mlkeys._providers.literals import hidden
from mlkeys._providers.random_text import is_secret_name
from mlkeys._shared.printable import printable

#: Set in the context once a command has written its JSON.
_SHOWN = "mlkeys.json"

#: Shorter values of variables are words of messages, too.
_SHORTEST_SECRET = 8

P = ParamSpec("P")
T = TypeVar("T")


def failing_plainly(function: Callable[P, T]) -> Callable[P, T]:
    """Turn an `MlkeysError` into a message and exit status 1; with --json also into JSON, if there is none yet."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except MlkeysError as problem:
            refused = problem
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as problem:  # noqa: BLE001  a program may raise any
            refused = _mistake(problem)
        if options.get("as_json") and _SHOWN not in click.get_current_context().meta:
            show_json(refusal(refused))
        raise click.ClickException(printable(str(refused)))

    return guarded


def _mistake(problem: Exception) -> MlkeysError:
    """Return the error for an exception that the user's program or the system raised; raise any other one again."""
    from mlkeys._synthesis.program import users_traceback

    shown = users_traceback(problem)
    # A pipe that was closed, and a full disk, are the affair of the whole command.
    is_whole = isinstance(problem, OSError) and problem.errno in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT)
    if shown is None and isinstance(problem, OSError) and problem.strerror and not is_whole:
        return MlkeysError(f"{_shortened(problem.filename)}{problem.strerror}.")
    if shown is None:
        raise problem
    return MlkeysError(f"the program raised {type(problem).__name__}.\n{hidden(shown.rstrip(), _read_secrets())}")


def _read_secrets() -> list[str]:
    """Return what a program can read as a secret: values of variables of the environment that are named so."""
    return [value for name, value in os.environ.items() if is_secret_name(name) and len(value) >= _SHORTEST_SECRET]


def _shortened(name: object) -> str:
    """The name of a file, as far as it fits into a message."""
    if not isinstance(name, (str, os.PathLike)):
        return ""
    text = os.fspath(name)
    return f"{text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + '…'}: "


_LONGEST_NAME = 300


def show_json(data: object) -> None:
    """Write the one document of a command to standard output."""
    click.get_current_context().meta[_SHOWN] = True
    click.echo(json.dumps(data))


def refusal(problem: MlkeysError) -> dict[str, object]:
    """The JSON of a command that refuses its work."""
    shown: dict[str, object] = {"error": printable(str(problem))}
    if isinstance(problem, AppInvalid):
        shown["problems"] = [
            {"path": one.path, "at": one.at, "message": printable(one.message)} for one in problem.problems
        ]
    return shown


def show_warning(text: str) -> None:
    """Show a warning on standard error. On a terminal, its lines are broken between words."""
    if sys.stderr.isatty():
        import shutil  # only where something is shown: it brings the libraries of archives along

        width = shutil.get_terminal_size().columns
        wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        text = "\n".join(wrapper.fill(line) for line in text.splitlines())
    click.secho(text, fg="yellow", err=True)


def cannot_write(path: Path, problem: OSError) -> MlkeysError:
    """The error for a file or folder that cannot be written."""
    return MlkeysError(f"{problem.filename or path} cannot be written: {problem.strerror}.")


def cannot_read(path: Path, problem: OSError | UnicodeDecodeError) -> MlkeysError:
    """The error for a file that cannot be read."""
    why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
    return MlkeysError(f"{path} cannot be read: {why}.")
