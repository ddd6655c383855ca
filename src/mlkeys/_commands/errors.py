# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How commands fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mlkeys._errors import MlkeysError

P = ParamSpec("P")
T = TypeVar("T")


def failing_plainly(function: Callable[P, T]) -> Callable[P, T]:
    """What the user can put right ends the command with its text and status 1."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except MlkeysError as problem:
            text = str(problem)
        raise click.ClickException(text)

    return guarded


def write_file(path: Path, text: str) -> None:
    """Write what a user asked to have in a file.

    Raises:
        MlkeysError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        failure = cannot_write(path, problem)
    else:
        return
    raise failure


def cannot_write(path: Path, problem: OSError) -> MlkeysError:
    """What to say about a file or folder that cannot be written."""
    return MlkeysError(f"{problem.filename or path} cannot be written: {problem.strerror}.")
