# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The errors that programs see, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mlkeys._errors import MlkeysError

P = ParamSpec("P")
T = TypeVar("T")


class SecretsError(MlkeysError):
    """A secret cannot be read or decrypted. The message repeats no value."""


class UnknownSecret(SecretsError, KeyError):
    """No secret has this name."""

    # That of KeyError would show the message as a literal.
    __str__ = Exception.__str__


def bare(problem: SecretsError) -> SecretsError:
    """The error without the frames that it came through, whose variables hold values."""
    problem.__context__ = problem.__cause__ = None
    return problem.with_traceback(None)


def without_values(function: Callable[P, T]) -> Callable[P, T]:
    """Raise errors of a function from here: debug pages, test runners and error trackers show variables of frames."""

    @wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except SecretsError as error:
            problem = error
        raise bare(problem)

    return guarded
