# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which forms a text may contain, several times faster than by a search for all of them.

Nearly all secrets are long rows of letters and digits, and a tenth of a text is in such rows. The other forms are found
by words that are searched for one by one, which is the fastest search that Python has.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from mlkeys._providers.key_patterns import Form, Patterns
from mlkeys._providers.marks import FAR_ENOUGH, any_of
from mlkeys._providers.words import CAPITALS_OF_VALUES

_SHORTEST = 20
_KEPT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
# What is kept becomes an a, which shows the rows to the search for a constant text.
_SHAPE = bytes(97 if byte in _KEPT else 32 for byte in range(256))
_LONG = b"a" * _SHORTEST
_DIGITS = b"0123456789"
_SMALL = b"abcdefghijklmnopqrstuvwxyz"
_OF_NAMES = _SMALL + b"_"
# A name has fewer capitals than any random text, or base64, has without a digit.
_CAPITALS_OF_NAMES = 4
# What is before and behind a value of a mapping or a variable, but hardly ever around a name in a program.
_BEFORE_VALUES, _BEHIND_VALUES = b"\"'`=>-|/", b"\"'`=<}|&\\\r\n"
_COLON = b": "
# What is before a value, whatever is behind it: the names of variables and options with a blank behind them, as in a
# Dockerfile, and the beginnings of tokens.
_BEFORE_ANY = (b"KEY ", b"TOKEN ", b"-key ", b"-token ", b" s.", b"=s.", b'"s.', b"'s.", b"hvs.", b"hvr.")
_LONGEST_SIGN = 7
_QUOTES, _BEFORE_TEXTS = b"\"'` ", b"[\n"
_LETTERS = _SMALL + _SMALL.upper()
# Of a secret without a digit. In random letters, a third or more are of each case.
_SHORTEST_OF_LETTERS, _LETTERS_OF_A_CASE = 22, 3
_LENGTHS = (24, 32, 40, 48)
_WORDS = re.compile(rb"[A-Z]*(?:[a-z]{2,}[A-Z]+)*(?:[a-z]{2,})?")
# How far before a secret the name can be that it is found by, in bytes; a character is up to four of them.
_FAR, _FAR_IN_UTF8 = 300, 1200
# How far behind one it can be.
_BEHIND, _BEHIND_IN_UTF8 = 150, 600
# A mark that is a constant, as far as its lookahead.
_CONSTANT = re.compile(r"((?:[a-z0-9_ ~/-]|\\[ .-])+)(?:\(\?=.*)?")
# A row in base64 has both cases, and what is worth a search in it is longer than a secret.
_SHORTEST_ENCODED = 27
_SEMICOLON = ord(";")
# Base64 of a text: each group of four characters begins with one of these, if the text is one of ASCII.
_GROUP = 4
_BASE64, _PLUS = _LETTERS + _DIGITS + b"+/", ord("+")
_LONGEST_BEGINNING = 100
_FIRST_OF_ASCII = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
_BLANKS = b"\t\r\n"


@dataclass(frozen=True)
class Rows:
    """The rows of at least 20 letters, digits, `_` and `-` in a text, one a line, but for those in the form of names.

    Attributes:
        encoded: those of them that may be base64.
        texts: those of them that are a text in base64.
        near: those of them with a digit, with letters of both cases as random texts have them, or behind a semicolon,
            and what is around them, where the names of secrets are; in lower case.
    """

    all: str
    encoded: str
    texts: tuple[str, ...]
    near: str


def long_rows(text: str) -> Rows:
    data = text.encode("utf-8", errors="replace")
    shape = data.translate(_SHAPE) + b" "
    far, behind = (_FAR, _BEHIND) if len(data) == len(text) else (_FAR_IN_UTF8, _BEHIND_IN_UTF8)
    rows, near, texts = [], [], []
    reached = 0
    at = shape.find(_LONG)
    while at >= 0:
        end = shape.find(b" ", at + _SHORTEST)
        row = data[at:end]
        rest = row.translate(None, _OF_NAMES)
        if not rest:
            is_near = False
        elif len(rest) * _CAPITALS_OF_NAMES < len(row) and rest.isalpha() and b"_" not in row:
            # A name InCapitalsAndLowerCase, or one of the random texts that have as few capitals.
            is_near = len(rest) * CAPITALS_OF_VALUES >= len(row) and _is_value(row, data, at)
        else:
            rows.append(row)
            whole = _beginning_in_base64(data, at) + row
            if is_text_in_base64(whole):
                texts.append(whole.decode())
            # Behind a reference to a character, such as &#95;, a row may be of any kind.
            is_near = (
                len(row.translate(None, _DIGITS)) < len(row)
                or (not row.isupper() and not row.islower() and _is_mixed(row, data, at))
                or (at > 0 and data[at - 1] == _SEMICOLON)
            )
        if is_near:
            begin = at - far
            near.append(data[max(begin, reached, 0) : end + behind])
            reached = end + behind
        at = shape.find(_LONG, end)
    encoded = [row for row in rows if len(row) >= _SHORTEST_ENCODED and not row.islower()]
    beside = b"".join(near).decode("utf-8", errors="replace").lower()
    return Rows(b"\n".join(rows).decode("ascii"), b"\n".join(encoded).decode("ascii"), tuple(texts), beside)


def _beginning_in_base64(data: bytes, at: int) -> bytes:
    """What a row in base64 has before a plus sign, which begins another row."""
    if at == 0 or data[at - 1] != _PLUS:
        return b""
    before = data[max(at - _LONGEST_BEGINNING, 0) : at]
    return before[len(before.rstrip(_BASE64)) :]


def is_text_in_base64(row: bytes) -> bool:
    """Whether a row is a text in base64. Random letters and digits are not: their bytes would have to be of ASCII."""
    # Most are sorted out by the first of each four characters.
    if row[:12:_GROUP].translate(None, _FIRST_OF_ASCII) or row.translate(None, _BASE64):
        return False
    data = binascii.a2b_base64(row[: len(row) // _GROUP * _GROUP])
    return data.isascii() and data.translate(None, _BLANKS).decode().isprintable()


def _is_mixed(row: bytes, data: bytes, at: int) -> bool:
    """Whether letters without a digit are random, as far as that can be seen."""
    letters = len(row) - len(row.translate(None, _LETTERS))
    small = len(row) - len(row.translate(None, _SMALL))
    fewest = min(small, letters - small)
    if fewest * _LETTERS_OF_A_CASE > letters:
        return True
    return fewest > 0 and fewest * CAPITALS_OF_VALUES >= letters and _is_value(row, data, at)


def _is_value(row: bytes, data: bytes, at: int) -> bool:
    """Whether letters stand where a value does, and as names seldom do: quoted, and as long as a secret."""
    if len(row) < _SHORTEST_OF_LETTERS:
        return False
    before = data[max(at - _LONGEST_SIGN, 0) : at]
    if before.endswith(_BEFORE_ANY):
        return True
    if data[at + len(row) : at + len(row) + 1] not in _BEHIND_VALUES:
        return False
    if before[-1:] not in _BEFORE_VALUES and not before.endswith(_COLON):
        return False
    # A text of a list alone on its line is a name, which its module exports.
    if before.rstrip(_QUOTES)[-1:] in _BEFORE_TEXTS:
        return False
    return len(row) in _LENGTHS or _WORDS.fullmatch(row) is None


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
