# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Durations."""

from __future__ import annotations

from dataclasses import dataclass

from mlkeys._providers.literals import hidden
from mlkeys._shared.durations import SECONDS, parse_duration

_UNITS = ("d", "h", "m")


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A duration in whole seconds.

    Every keyword that accepts a duration also accepts a string such as `"30d"`, `"720h"` or `"1h30m"`, and a number
    of seconds.

    Args:
        seconds: the number of seconds.
    """

    seconds: int

    @classmethod
    def parse(cls, text: str | int) -> Duration:
        """Parse `30d`, `720h`, `1h30m`, `3600s` or a number of seconds.

        Raises:
            ValueError: it is not a duration.
        """
        try:
            return cls(parse_duration(text))
        except ValueError as problem:
            raise ValueError(hidden(str(problem))) from None

    @classmethod
    def minutes(cls, count: int) -> Duration:
        """Return a duration of that many minutes."""
        return cls(count * SECONDS["m"])

    @classmethod
    def hours(cls, count: int) -> Duration:
        """Return a duration of that many hours."""
        return cls(count * SECONDS["h"])

    @classmethod
    def days(cls, count: int) -> Duration:
        """Return a duration of that many days of 24 hours."""
        return cls(count * SECONDS["d"])

    def __str__(self) -> str:
        # A single unit: servers refuse "2d12h".
        for unit in _UNITS:
            if self.seconds and self.seconds % SECONDS[unit] == 0:
                return f"{self.seconds // SECONDS[unit]}{unit}"
        return str(self.seconds)
