# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Exceptions, and the problems of a program.

MlkeysError             base of all; the text is for the user
├── AppInvalid          the app has problems; lists all of them, each with its construct, file and line
└── DevServerError      a development server could not be started or stopped
"""

from __future__ import annotations

from dataclasses import dataclass


class MlkeysError(Exception):
    """An error that the user can fix; the message explains how."""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """A problem or a warning about one construct.

    Attributes:
        path: path of the construct in the tree, such as ``prod/key``; empty for the app.
        at: file and line of the program that made the construct.
        message: what is wrong, and where possible how to fix it.
    """

    path: str
    at: str
    message: str

    def __str__(self) -> str:
        return f"[{self.path or 'app'}] ({self.at}) {self.message}"


class AppInvalid(MlkeysError):
    """The app has problems. Nothing was written.

    Attributes:
        problems: all problems of the app, in the order of its constructs.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count}:", *(f"  {problem}" for problem in problems)]))


class DevServerError(MlkeysError):
    """A development server could not be started or stopped."""
