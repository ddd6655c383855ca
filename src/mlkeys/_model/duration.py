# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Lengths of time."""

from __future__ import annotations

from dataclasses import dataclass

from mlkeys._shared.schema import parse_duration

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A length of time in whole seconds. Wherever one is wanted, `"30d"`, `"720h"` and `3600` do as well."""

    seconds: int

    @classmethod
    def parse(cls, text: str | int) -> Duration:
        """Read `30d`, `720h`, `1h30m`, `3600s` or a number of seconds; ValueError when it is none of these."""
        return cls(parse_duration(text))

    @classmethod
    def minutes(cls, count: int) -> Duration:
        """That many minutes."""
        return cls(count * 60)

    @classmethod
    def hours(cls, count: int) -> Duration:
        """That many hours."""
        return cls(count * 3600)

    @classmethod
    def days(cls, count: int) -> Duration:
        """That many days, of 24 hours each."""
        return cls(count * 86400)

    def __str__(self) -> str:
        # One unit alone: servers refuse "2d12h".
        for size, unit in _UNITS:
            if self.seconds and self.seconds % size == 0:
                return f"{self.seconds // size}{unit}"
        return str(self.seconds)
