# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Texts with characters of secrets that are written by their numbers: in addresses, strings of programs, and XML."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

# Letters, digits and + - . / : = _ ~
_HEX = r"(?:2[BDEFbdef]|3[0-9ADad]|4[1-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9AEae])"
_DECIMAL = r"(?:4[3-9]|5[0-8]|61|6[5-9]|[78][0-9]|90|95|9[7-9]|1[01][0-9]|12[0-26])"
_ESCAPED = re.compile(rf"(?:%|\\x|\\u00|\\U000000)({_HEX})|\\u\{{0*({_HEX})\}}|&#[xX]0*({_HEX});|&#0*({_DECIMAL});")
# Few texts have one. Each of these searches for a constant is much faster than one for them all.
_ANY = tuple(map(re.compile, (r"%[2-7][0-9A-Fa-f]", r"\\[uxU]", "&#")))
# How far a text is looked at on either side of such a character.
_AROUND = 300


@dataclass(frozen=True)
class Unescaped:
    """A part of a text, with the characters themselves.

    Attributes:
        offsets: in it, from where on the whole text is further ahead.
        ahead: by how much.
    """

    text: str
    offsets: tuple[int, ...]
    ahead: tuple[int, ...]

    def place(self, offset: int) -> int:
        """Where in the whole text a character of it begins."""
        return offset + self.ahead[bisect_right(self.offsets, offset) - 1]


def unescaped_texts(text: str) -> Iterator[Unescaped]:
    """The parts of a text around such characters."""
    if not any(one.search(text) for one in _ANY):
        return
    near: list[re.Match[str]] = []
    for found in _ESCAPED.finditer(text):
        if near and found.start() - near[-1].end() > 2 * _AROUND:
            yield _unescaped(text, near)
            near = []
        near.append(found)
    if near:
        yield _unescaped(text, near)


def _unescaped(text: str, escaped: list[re.Match[str]]) -> Unescaped:
    begin = at = max(0, escaped[0].start() - _AROUND)
    parts: list[str] = []
    offsets, ahead = [0], [begin]
    length = 0
    for one in escaped:
        before = text[at : one.start()]
        code = int(one[4]) if one[4] else int(one[1] or one[2] or one[3], 16)
        parts += (before, chr(code))
        length += len(before) + 1
        at = one.end()
        offsets.append(length)
        ahead.append(at - length)
    parts.append(text[at : at + _AROUND])
    return Unescaped("".join(parts), tuple(offsets), tuple(ahead))
