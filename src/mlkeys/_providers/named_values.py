# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Searches for secrets that have no recognisable form of their own, near the names of their providers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain

from mlkeys._providers import surroundings as near_it
from mlkeys._providers.surroundings import FARTHEST, FARTHEST_BEHIND

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# What is in a row becomes an a, which shows the rows to the search for a constant text.
_ROW = bytes(97 if byte in _LETTERS + b"_-" else 32 for byte in range(256))
_SHORTEST = 20
# How much before a secret is enough for the name of a key.
_LONGEST_KEY = 60
# Between the columns of a table.
_LONGEST_SIGN = 3
# Of a client or a mapping, before its secret.
_LONGEST_ENTRY = 25
_MOST_ROWS = 100
# What a secret begins with that is not a part of its row, as in hvs.…
_LONGEST_BEGINNING = 4
# Between the rows of a list, with what may be behind a dot in one.
_LONGEST_GAP = 100
# What is between the rows of one secret.
_DOTS = (".", ":")
_ROW_FROM = re.compile("[A-Za-z0-9_-]+")
# Behind the letter that ends a colour of a terminal, something else begins.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=[0-9;\[]m))"

_Names = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class NamedValue:
    """What such a secret looks like, and what its provider is called.

    Attributes:
        near: a regular expression for the name.
        value: one for the secret.
        glue: characters that, next to a secret, make it a part of something else, besides letters, digits, `_` and `-`.
        row: whether each secret has a row of at least 20 letters, digits, `_` and `-`.
    """

    near: str
    value: str
    glue: str
    row: bool

    @cached_property
    def _alone(self) -> re.Pattern[str]:
        return re.compile(rf"{_BEGIN}({self.value})(?![A-Za-z0-9_{re.escape(self.glue)}-])")

    @cached_property
    def shape(self) -> re.Pattern[str]:
        """The secret after a name."""
        return re.compile(near_it.after(self.near, f"({self.value})"))

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """The secrets near a name: after it, in its list, in its row of a table, or before it."""
        names = _names(self.near, text)
        last = -1
        for value in self._values(text, names) if names else ():
            start, end = value.span(1)
            if (
                (last >= 0 and _expression(near_it.NEXT_OF_LIST).fullmatch(text, last, start))
                or _is_after_a_name(text, names, start)
                or _is_before_a_name(text, names, start, end)
            ):
                last = end
                yield value

    def _values(self, text: str, names: _Names) -> Iterator[re.Match[str]]:
        """What looks like such a secret, wherever it stands: nearly always nothing."""
        if not self.row:
            return self._alone.finditer(text)
        rows = _joined(text, _rows_near(names, text))
        return chain.from_iterable(self._alone.finditer(text, begin, min(end + 1, len(text))) for begin, end in rows)


@lru_cache(maxsize=8)
def _names(near: str, text: str) -> _Names:
    """Where a name is. A search for letters of either case takes several times as long."""
    lower = _lower(text)
    # Of a few letters, the lower case has another length.
    same = len(lower) == len(text) and near == near.lower()
    found = _expression(near).finditer(lower) if same else _expression(f"(?i:{near})").finditer(text)
    return [name.span() for name in found]


def _is_after_a_name(text: str, names: _Names, start: int) -> bool:
    return any(
        _is_named(text, end, start)
        or (start - end <= _LONGEST_SIGN and _is_in_next_column(text, end, start))
        or _is_in_next_cell(text, end, start)
        or (start - end <= _LONGEST_ENTRY and _is_of_client_or_mapping(text, (begin, end), start))
        for begin, end in _within(names, start - FARTHEST, start)
    )


def _is_in_next_cell(text: str, name_end: int, start: int) -> bool:
    """Whether it is in the row of a table of Markdown whose first line has the name of a key."""
    if _expression(near_it.NEXT_CELL).fullmatch(text, name_end, start) is None:
        return False
    top = text.rfind("\n", 0, name_end) + 1
    for _ in range(_MOST_ROWS):
        above = text.rfind("\n", 0, max(top - 1, 0)) + 1
        if top == 0 or "|" not in text[above:top]:
            break
        top = above
    head = text[top : text.find("\n", top)].lower()
    return top <= text.rfind("\n", 0, name_end) and _expression(near_it.HEADING).search(head) is not None


def _is_of_client_or_mapping(text: str, name: tuple[int, int], start: int) -> bool:
    begin, end = name
    if _expression(near_it.OWN_CLIENT).fullmatch(text, end, start) is not None:
        return True
    if _expression(near_it.ITS_ENTRY).fullmatch(text, end, start) is None:
        return False
    before = text[max(0, begin - near_it.FARTHEST_MAPPING) : begin]
    return _expression(near_it.OF_SECRETS).search(before) is not None


def _is_named(text: str, name_end: int, start: int) -> bool:
    between = text[name_end:start].lower()
    # Nearly always, there is nothing of it, which is found out much faster than by the whole expression.
    likely = any(word in between for word in near_it.IN_BETWEEN)
    return likely and _expression(near_it.BEHIND_A_NAME).fullmatch(text, name_end, start) is not None


def _is_in_next_column(text: str, name_end: int, start: int) -> bool:
    return _expression(near_it.NEXT_COLUMN).fullmatch(text, name_end, start) is not None and _is_table(text)


def _is_before_a_name(text: str, names: _Names, start: int, end: int) -> bool:
    following = _within(names, end, end + FARTHEST_BEHIND)
    if not following:
        return False
    begin = max(0, start - _LONGEST_KEY)
    return any(
        _expression(key).search(text, begin, start)
        and any(_expression(between).fullmatch(text, end, name) for name, _ in following)
        for key, between in (
            (near_it.ITS_KEY, near_it.BEFORE_A_NAME),
            (near_it.ITS_VALUE, near_it.BEFORE_ITS_NAME),
        )
    )


def _within(names: _Names, begin: int, end: int) -> _Names:
    """The names in a part of a text."""
    return names[bisect_left(names, (begin, 0)) : bisect_left(names, (end, 0))]


@cache
def _expression(text: str) -> re.Pattern[str]:
    return re.compile(text)


@lru_cache(maxsize=1)
def _lower(text: str) -> str:
    """A text in lower case, which is searched for one kind of secret after the other."""
    return text.lower()


def _rows_near(names: _Names, text: str) -> Iterator[tuple[int, int]]:
    """The rows near a name, and those that follow one another from there on, as in a list."""
    # Each character is one byte, so that the places are those in the text.
    shape = text.encode("ascii", errors="replace").translate(_ROW) + b" "
    row = b"a" * _SHORTEST
    end = 0
    for first, last in _surroundings(names):
        at = shape.find(row, max(end, shape.rfind(b" ", 0, max(first, 0)) + 1))
        while 0 <= at < last or (end > first and _is_next_of_list(text, end, at)):
            end = shape.find(b" ", at + _SHORTEST)
            yield at, end
            at = shape.find(row, end)


def _is_next_of_list(text: str, before: int, row: int) -> bool:
    near = 0 <= row <= before + _LONGEST_GAP
    return near and _expression(near_it.NEXT_OF_LIST).search(text, before, row) is not None


def _surroundings(names: _Names) -> Iterator[tuple[int, int]]:
    """The parts of a text that are near names, in order. Those of names next to each other are one."""
    begin, end = 0, -1
    for first, last in names:
        if first - FARTHEST_BEHIND > end:
            if end >= 0:
                yield begin, end
            begin = first - FARTHEST_BEHIND
        end = last + FARTHEST
    if end >= 0:
        yield begin, end


def _joined(text: str, rows: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Rows, as far as they go on behind a dot or a colon, with what may be before the first dot."""
    reached = 0
    for begin, row_end in rows:
        end = row_end
        while text[end : end + 1] in _DOTS and (more := _ROW_FROM.match(text, end + 1)):
            end = more.end()
        if end > reached:
            yield max(begin - _LONGEST_BEGINNING, reached), end
            reached = end


def _is_table(text: str) -> bool:
    """Whether a text begins with the names of columns."""
    head = text[: text.find("\n") + 1][:200].lower()
    names_one = "key" in head or _expression(near_it.HEADING).search(head) is not None
    return names_one and any(sign in head for sign in ",;\t")
