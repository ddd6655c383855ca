# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Durations of keys and tokens, as users write them and as messages show them.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

# A duration is a signed 64-bit number of nanoseconds on the server.
MAX_DURATION_SECONDS = (2**63 - 1) // 10**9

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(w|d|h|ms|m|s)")
# Those of each unit.
SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(value: str | int) -> int:
    """The seconds of a duration such as ``30d``, ``720h``, ``1h30m``, ``3600s`` or ``3600``.

    Raises:
        ValueError: it is not a duration, not a whole number of seconds, negative, or more than the server can hold.
    """
    text = str(value).strip()
    seconds = int(text) if re.fullmatch(r"[0-9]+", text) else _sum_of_parts(text)
    if seconds != int(seconds):
        raise ValueError(f"'{text}' is not a whole number of seconds")
    if seconds > MAX_DURATION_SECONDS:
        raise ValueError(f"'{text}' is out of range: at most {MAX_DURATION_SECONDS} seconds")
    return int(seconds)


def _sum_of_parts(text: str) -> Fraction:
    # Most programs and modules have no such text. Importing it takes longer than to read a small program.
    from fractions import Fraction

    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"'{text}' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds")
    # A float would round, and overflow where the number is only out of range.
    seconds: dict[str, int | Fraction] = {**SECONDS, "ms": Fraction(1, 1000)}
    return sum((Fraction(number) * seconds[unit] for number, unit in parts), Fraction(0))


def age_text(seconds: int | None) -> str:
    """A number of seconds in the largest unit that fits, such as ``90 d``; empty for an unknown age."""
    if seconds is None:
        return ""
    for unit in ("d", "h"):
        if seconds >= SECONDS[unit]:
            return f"{seconds // SECONDS[unit]} {unit}"
    return f"{seconds // SECONDS['m']} min"
