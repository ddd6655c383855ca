# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Texts in base64, as in Kubernetes' Secrets: rows that are texts, and those that begin as secrets do in it."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mlkeys._lint.sieve import Rows, is_text_in_base64
from mlkeys._providers.key_patterns import Patterns
from mlkeys._providers.marks import any_of

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_URL_SAFE = str.maketrans("-_", "+/")
# How far a text is decoded on either side of a beginning, in characters.
_BEFORE, _BEHIND = 2000, 4000
# Programs break the lines of base64 at 64 or 76 characters.
_SHORTEST_LINE = 40
_NEXT_LINE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}[\"']?[ \t]*(?:[\r\n]|\Z)")
# What a text in base64 is a mark by: fewer characters, with bits of those beside them, or more.
_SHORTEST_MARK, _ENOUGH = 3, 5
_GROUP = 3
# How much around a text in base64 shows what it is: the names of keys, and of their providers.
_CONTEXT = 300
# A value in base64 that is shorter than a row: a key of any length.
_SHORT = re.compile(
    r"[:=][ \t]{0,4}[\"']?(?:(?i:basic|bearer)[ \t]+)?"
    r"((?:[A-Za-z0-9+/]{4}){2,10}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)[\"']?[ \t]*(?:[\r\n,}]|[ \t]#|\Z)"
)
# What a header has before a key, outside of base64 and in it.
_SCHEME = re.compile(r"(?i:basic|bearer)[ \t]+\Z")
_IN_A_HEADER = re.compile(r"(?:(?i:bearer|token|basic|key)[ \t]+|[\w.@-]{0,40}:)(?=\S{8,400}\s*\Z)")
# A name before a value, which is a key's if the value is encoded. Checksums do not look like secrets when decoded.
_ENTRY = re.compile(r"(?<=[A-Za-z0-9])(?<!(?i:key))(?<!(?i:token))(?=[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?\Z)")
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


@dataclass(frozen=True)
class Value:
    """A decoded text, and what is around it in the whole text.

    Attributes:
        begin: where the decoded text begins in `text`.
        end: behind it.
        skipped: how much of the decoded text is before `begin`.
    """

    text: str
    begin: int
    end: int
    skipped: int
    decoded: Decoded

    def place(self, offset: int) -> int:
        """Where in the whole text a character of the decoded one begins."""
        return self.decoded.place(offset - self.begin + self.skipped)

    def contains(self, offset: int) -> bool:
        """Whether the base64 of it contains a character of the whole text."""
        return self.decoded.places[0] <= offset <= self.decoded.places[-1]


@dataclass(frozen=True)
class _Marks:
    """What beginnings look like.

    Attributes:
        any: all of them.
        steps: for the constant characters of each, the numbers of characters by which they may be out of step with the
            groups of four.
    """

    any: re.Pattern[str]
    steps: Mapping[str, Collection[int]]


@cache
def _marks(patterns: Patterns) -> _Marks:
    expressions: dict[str, None] = {}
    steps: dict[str, set[int]] = {}
    for prefix in {*_NAMES, *(prefix for form in patterns.forms for prefix in form.prefixes)}:
        for shift in range(_GROUP):
            expression, constant, step = _encoded_mark(prefix.encode(), shift)
            if len(constant) >= _SHORTEST_MARK and constant[0].isalnum():
                expressions[expression] = None
                steps.setdefault(constant, set()).add(step)
    return _Marks(any_of(expressions) if expressions else re.compile(r"(?!)"), steps)


def _encoded_mark(data: bytes, shift: int) -> tuple[str, str, int]:
    """An expression for data behind others, the characters that it has in any case, and how many are before these."""
    # Where all around the data is zeros and ones, the characters that both have are those of the data alone.
    ends = (bytes(shift) + data + bytes(2), b"\xff" * shift + data + b"\xff" * 2)
    zeros, ones = (base64.b64encode(text).decode() for text in ends)
    first, last = -(-8 * shift // 6), 8 * (shift + len(data)) // 6
    constant = zeros[first:last]
    expression = re.escape(constant[:1])
    # A short one is in too many texts, but for the bits that it has of the characters beside it.
    if len(constant) < _ENOUGH:
        before = _between(zeros[first - 1], ones[first - 1], low=True) if shift else ""
        expression += f"(?<={before}{expression})" if before else ""
        behind = _between(zeros[last], ones[last], low=False) if 8 * (shift + len(data)) % 6 else ""
        return f"{expression}{re.escape(constant[1:])}{behind}", constant, first
    return f"{expression}{re.escape(constant[1:])}", constant, first


def _between(zeros: str, ones: str, *, low: bool) -> str:
    """The characters with the bits that two have in common: their low ones, or their high ones."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    first, last = alphabet.index(zeros), alphabet.index(ones)
    step = (last ^ first) & -(last ^ first) if low else 1
    return f"[{re.escape(alphabet[first : last + 1 : step])}]"


def decoded_texts(text: str, patterns: Patterns, rows: Rows) -> Iterator[Decoded]:
    """What a text contains in base64, wherever that may contain a secret.

    Args:
        rows: its long rows of letters and digits.
    """
    marks = _marks(patterns)
    if not marks.any.search(rows.encoded):
        return
    end = 0
    for found in marks.any.finditer(text):
        if found.start() < end:
            continue
        for constant, steps in marks.steps.items():
            for step in steps if text.startswith(constant, found.start()) else ():
                decoded = _around(text, found.start(), step)
                if decoded is not None:
                    end = max(end, decoded.places[-1] + 1)
                    yield decoded


def decoded_values(text: str, rows: Rows, *, short: bool) -> Iterator[Value]:
    """The texts in base64 of a text, where they stand: values of mappings, headers, whole files.

    Args:
        rows: its long rows of letters and digits.
        short: whether also those that are shorter than a row.
    """
    end = 0
    for at in sorted({*_places_of(rows.texts, text), *(_places_of_short(text) if short else ())}):
        if at >= end:
            decoded = _decoded(text, _run(text, at, 1, len(text)))
            end = decoded.places[-1] + 1
            yield from _values(text, decoded)


def _places_of(rows: Iterable[str], text: str) -> Iterator[int]:
    at = 0
    for row in rows:
        at = text.find(row, at)
        yield at
        at += len(row)


def _places_of_short(text: str) -> Iterator[int]:
    return (found.start(1) for found in _SHORT.finditer(text) if is_text_in_base64(found[1].rstrip("=").encode()))


def _values(text: str, decoded: Decoded) -> Iterator[Value]:
    """What a text in base64 is a value of, also without what a header has before a key."""
    start, end = decoded.places[0], decoded.places[-1] + 1
    before = _ENTRY.sub("_key", _SCHEME.sub("", text[max(0, start - _CONTEXT) : start]))
    behind = text[end : end + _CONTEXT].lstrip("=")
    header = _IN_A_HEADER.match(decoded.text)
    for skipped in (0, header.end()) if header else (0,):
        inner = decoded.text[skipped:].rstrip()
        yield Value(f"{before}{inner}{behind}", len(before), len(before) + len(inner), skipped, decoded)


def _around(text: str, at: int, step: int) -> Decoded | None:
    left = _run(text, at - 1, -1, _BEFORE)[::-1]
    right = _run(text, at, 1, _BEHIND)
    # What is before the first whole group is of something else.
    skipped = (len(left) - step) % 4
    if len(left) < step:
        return None
    return _decoded(text, [*left[skipped:], *right])


def _decoded(text: str, places: Sequence[int]) -> Decoded:
    places = tuple(places[: len(places) - (len(places) % 4 == 1)])
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
