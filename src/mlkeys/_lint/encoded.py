# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Texts in base64, as in Kubernetes' Secrets, found by what the beginnings of secrets look like in it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from mlkeys._lint.sieve import Rows
from mlkeys._providers.key_patterns import Form, Patterns
from mlkeys._providers.marks import any_of

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_URL_SAFE = str.maketrans("-_", "+/")
# How far a text is decoded on either side of a beginning, in characters.
_BEFORE, _BEHIND = 2000, 4000
# Programs break the lines of base64 at 64 or 76 characters.
_SHORTEST_LINE = 40
_NEXT_LINE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}[\"']?[ \t]*(?:[\r\n]|\Z)")
_SHORTEST_MARK = 4
# The names of keys without a form of their own, in a whole file in base64.
_NAMES = ("_API_KEY", "api_key", "apiKey", "ApiKey", "api-key", "ACCESS_KEY", "access_key", "AccessKey")


@dataclass(frozen=True)
class Decoded:
    """A decoded text.

    Attributes:
        places: for each character in base64, where it is in the whole text.
    """

    text: str
    places: tuple[int, ...]

    def place(self, offset: int) -> int:
        """Where in the whole text a character of the decoded one begins."""
        return self.places[min(offset * 8 // 6, len(self.places) - 1)]


@cache
def _marks(patterns: Patterns) -> tuple[re.Pattern[str], dict[str, int]]:
    """What beginnings look like, and the number of characters by which each is out of step with the groups of four."""
    steps: dict[str, int] = {}
    for prefix in {*_NAMES, *(prefix for form in patterns.forms for prefix in form.prefixes)}:
        data = prefix.encode()
        for shift in range(3):
            first, last = -(-8 * shift // 6), 8 * (shift + len(data)) // 6
            mark = base64.b64encode(bytes(shift) + data + bytes(2)).decode()[first:last]
            if len(mark) >= _SHORTEST_MARK and mark[0].isalnum():
                steps[mark] = first
    return any_of(map(re.escape, steps)) if steps else re.compile(r"(?!)"), steps


def decoded_texts(text: str, patterns: Patterns, rows: Rows) -> Iterator[Decoded]:
    """What a text contains in base64, wherever that may contain a secret.

    Args:
        rows: its long rows of letters and digits.
    """
    expression, steps = _marks(patterns)
    if not expression.search(rows.encoded):
        return
    end = 0
    for found in expression.finditer(text):
        if found.start() < end:
            continue
        decoded = _around(text, found.start(), steps[found.group()])
        if decoded is not None:
            end = decoded.places[-1] + 1
            yield decoded


def decoded_value(text: str, form: Form) -> str:
    """A secret without a form of its own, from base64; empty for anything else."""
    try:
        value = base64.b64decode(text, validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return value if form.is_value(value) else ""


def _around(text: str, at: int, step: int) -> Decoded | None:
    left = _run(text, at - 1, -1, _BEFORE)[::-1]
    right = _run(text, at, 1, _BEHIND)
    # What is before the first whole group is of something else.
    skipped = (len(left) - step) % 4
    if len(left) < step:
        return None
    places = (*left[skipped:], *right)
    places = places[: len(places) - (len(places) % 4 == 1)]
    characters = "".join(text[place] for place in places).translate(_URL_SAFE)
    data = base64.b64decode(characters + "=" * (-len(characters) % 4))
    return Decoded(data.decode("latin-1"), places)


def _run(text: str, at: int, step: int, most: int) -> list[int]:
    """The places of characters of base64 from a place on, over the ends of lines."""
    places: list[int] = []
    on_line = 0
    while 0 <= at < len(text) and len(places) < most:
        if text[at] in _ALPHABET:
            places.append(at)
            on_line += 1
            at += step
            continue
        over = at
        while 0 <= over < len(text) and text[over] in " \t\r\n":
            over += step
        broken = "\n" in text[min(at, over) : max(at, over) + 1]
        if not (broken and (on_line >= _SHORTEST_LINE or step < 0) and 0 <= over < len(text)):
            break
        if not (_NEXT_LINE.match(text, over) if step > 0 else _is_long_line(text, over)):
            break
        at, on_line = over, 0
    return places


def _is_long_line(text: str, last: int) -> bool:
    """Whether a line that ends there is nothing but base64, apart from an indent."""
    line = text[text.rfind("\n", 0, last + 1) + 1 : last + 1].strip()
    return len(line) >= _SHORTEST_LINE and all(character in _ALPHABET for character in line)
