# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be wrong with a program, and how it is told.

MlkeysError             everything this package raises on purpose; the text is meant for the user
├── AppInvalid          the app has problems: all of them, each with its construct and its place
└── DevServerError      a development server could not be started or stopped
"""

from __future__ import annotations

from dataclasses import dataclass


class MlkeysError(Exception):
    """Something the user can put right; the text says how."""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing that is wrong (or, as a warning, doubtful) about one construct."""

    path: str
    at: str
    message: str

    def __str__(self) -> str:
        return f"[{self.path or 'app'}] ({self.at}) {self.message}"


class AppInvalid(MlkeysError):
    """The app cannot become files. Nothing was written."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count}:", *(f"  {problem}" for problem in problems)]))


class DevServerError(MlkeysError):
    """A development server could not be started or stopped."""
