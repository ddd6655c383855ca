# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The errors that programs see, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import PurePath
from typing import ParamSpec, TypeVar

from mlkeys._errors import MlkeysError

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class SecretsError(MlkeysError):
    """A secret cannot be read or decrypted. The message repeats no value."""


class UnknownSecret(SecretsError, KeyError):
    """No secret has this name."""

    # That of KeyError would show the message as a literal.
    __str__ = Exception.__str__


class WrongUse(TypeError):
    """A call that cannot succeed whatever the secrets are. The message repeats no value."""


def bare(problem: E) -> E:
    """The error without the frames that it came through, whose variables hold values."""
    problem.__context__ = problem.__cause__ = None
    return problem.with_traceback(None)


def shown(error: BaseException) -> BaseException:
    """An error as a program may see it. Of one that may repeat a value, only where it comes from."""
    # All others that are not an Exception are interrupts, which say nothing.
    if isinstance(error, (SecretsError, WrongUse)) or not isinstance(error, Exception):
        return bare(error)
    kind = f"{type(error).__name__}{_place(error)}, whose message may repeat a secret"
    return SecretsError(f"The secrets cannot be read: {kind}.")


def _place(error: Exception) -> str:
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None:
        return ""
    return f" in line {frames.tb_lineno} of {PurePath(frames.tb_frame.f_code.co_filename).name}"


def without_values(function: Callable[P, T]) -> Callable[P, T]:
    """Raise errors of a function from here: debug pages, test runners and error trackers show variables of frames."""

    @wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except BaseException as error:  # noqa: BLE001  an interrupt comes through the same frames
            problem = shown(error)
        # A password may be among them.
        del arguments, options
        raise problem

    return guarded
