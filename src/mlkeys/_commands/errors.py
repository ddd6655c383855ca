# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How commands report errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable

P = ParamSpec("P")
T = TypeVar("T")


def failing_plainly(function: Callable[P, T]) -> Callable[P, T]:
    """Turn an `MlkeysError` into a message and exit status 1."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except MlkeysError as problem:
            raise click.ClickException(printable(str(problem))) from None

    return guarded


def write_file(path: Path, text: str) -> None:
    """Write an output file.

    Raises:
        MlkeysError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise cannot_write(path, problem) from None


def cannot_write(path: Path, problem: OSError) -> MlkeysError:
    """The error for a file or folder that cannot be written."""
    return MlkeysError(f"{problem.filename or path} cannot be written: {problem.strerror}.")
