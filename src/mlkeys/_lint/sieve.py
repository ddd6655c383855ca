# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which forms a text may contain, several times faster than by a search for all of them.

Nearly all secrets are long rows of letters and digits, and a tenth of a text is in such rows. The other forms are found
by words that are searched for one by one, which is the fastest search that Python has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from mlkeys._providers.key_patterns import Form, Patterns
from mlkeys._providers.marks import FAR_ENOUGH, any_of

_SHORTEST = 20
_KEPT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
# What is kept becomes an a, which shows the rows to the search for a constant text.
_SHAPE = bytes(97 if byte in _KEPT else 32 for byte in range(256))
_LONG = b"a" * _SHORTEST
_DIGITS = b"0123456789"
_OF_NAMES = b"abcdefghijklmnopqrstuvwxyz_"
# A name has fewer capitals than any random text, or base64, has without a digit.
_CAPITALS_OF_NAMES = 4
# How far before a secret the name can be that it is found by, in bytes; a character is up to four of them.
_FAR, _FAR_IN_UTF8 = 300, 1200
# How far behind one it can be.
_BEHIND, _BEHIND_IN_UTF8 = 150, 600
# A mark that is a constant, as far as its lookahead.
_CONSTANT = re.compile(r"((?:[a-z0-9_ ~/-]|\\[ .-])+)(?:\(\?=.*)?")
# A row in base64 has both cases, and what is worth a search in it is longer than a secret.
_SHORTEST_ENCODED = 27
_SEMICOLON = ord(";")


@dataclass(frozen=True)
class Rows:
    """The rows of at least 20 letters, digits, `_` and `-` in a text, one a line, but for those in the form of names.

    Attributes:
        encoded: those of them that may be base64.
        near: those of them with a digit or behind a semicolon, and what is around them, where the names of secrets are;
            in lower case.
    """

    all: str
    encoded: str
    near: str


def long_rows(text: str) -> Rows:
    data = text.encode("utf-8", errors="replace")
    shape = data.translate(_SHAPE) + b" "
    far, behind = (_FAR, _BEHIND) if len(data) == len(text) else (_FAR_IN_UTF8, _BEHIND_IN_UTF8)
    rows, near = [], []
    reached = 0
    at = shape.find(_LONG)
    while at >= 0:
        end = shape.find(b" ", at + _SHORTEST)
        row = data[at:end]
        if not _is_name(row):
            rows.append(row)
            # Behind a reference to a character, such as &#95;, a row may have no digit.
            if len(row.translate(None, _DIGITS)) < len(row) or (at and data[at - 1] == _SEMICOLON):
                begin = at - far
                near.append(data[max(begin, reached, 0) : end + behind])
                reached = end + behind
        at = shape.find(_LONG, end)
    encoded = [row for row in rows if len(row) >= _SHORTEST_ENCODED and not row.islower()]
    beside = b"".join(near).decode("utf-8", errors="replace").lower()
    return Rows(b"\n".join(rows).decode("ascii"), b"\n".join(encoded).decode("ascii"), beside)


def _is_name(row: bytes) -> bool:
    """Whether it is the name of something: `in_lower_case`, or `InCapitalsAndLowerCase`."""
    rest = row.translate(None, _OF_NAMES)
    if not rest:
        return True
    return len(rest) * _CAPITALS_OF_NAMES < len(row) and rest.isalpha() and b"_" not in row


class Sieve:
    """The forms of patterns, by where their marks have to be."""

    def __init__(self, patterns: Patterns) -> None:
        self._forms = patterns.forms
        self._inside = _Marks(form for form in self._forms if form.inside and form.marks)
        rest = [form for form in self._forms if not form.inside and form.marks]
        self._unmarked = {id(form) for form in self._forms if not form.marks}
        self._beside = _Words(form for form in rest if form.row and _is_constant(form))
        self._words = _Words(form for form in rest if not form.row and _is_constant(form))
        self._marks_beside = _Marks(form for form in rest if form.row and not _is_constant(form))
        self._others = _Marks(form for form in rest if not form.row and not _is_constant(form))

    def forms_in(self, text: str, rows: Rows) -> list[Form]:
        """The forms that a text may contain, most specific first."""
        lower = text.lower()
        found = self._words.found(lower) | self._others.found(lower) | self._unmarked
        if rows.all:
            found |= self._inside.found(rows.all.lower())
        if rows.near:
            found |= self._beside.found(rows.near) | self._marks_beside.found(rows.near)
        return [form for form in self._forms if id(form) in found] if found else []


def _is_constant(form: Form) -> bool:
    return all(map(_CONSTANT.fullmatch, form.marks))


class _Words:
    """Forms whose marks begin with constant words, each of which is searched for once."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._marks: dict[str, list[tuple[int, re.Pattern[str]]]] = {}
        for form in forms:
            for mark in form.marks:
                word = _CONSTANT.sub(r"\1", mark).replace("\\", "")
                self._marks.setdefault(word, []).append((id(form), re.compile(mark)))

    def found(self, lower: str) -> set[int]:
        return {
            form for word, marks in self._marks.items() if word in lower for form, mark in marks if mark.search(lower)
        }


class _Marks:
    """Forms, and one expression for the marks of all."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._by_mark = [(id(form), re.compile("|".join(form.marks))) for form in forms]
        marks = {mark for _, expression in self._by_mark for mark in expression.pattern.split("|")}
        self._any = any_of(sorted(marks)) if marks else None

    def found(self, lower: str) -> set[int]:
        if self._any is None:
            return set()
        here = {lower[found.start() : found.start() + FAR_ENOUGH] for found in self._any.finditer(lower)}
        return {form for form, mark in self._by_mark if any(mark.search(piece) for piece in here)} if here else set()


@cache
def sieve_of(patterns: Patterns) -> Sieve:
    return Sieve(patterns)
