# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Where in a text a ciphertext may be, in whatever form. **Private** to the collection.

A needle is what each form leaves of the word with which a ciphertext begins: the word, its base64 at the three places
that it may have in a group of four, and the base64 of these. Most texts hold none, and that is decided fast: what may
break a needle is dropped (line ends, quotes, commas, NUL), and the rest is translated into classes of characters, so
that one search finds several needles at once, and little else.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple, Pattern

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import JOINT

WORD = b"vault"
#: What ends a line of base64, also one inside of a JSON text.
BREAK = rb"(?:\\{0,4}\r?\n[ \t]{0,200}|(?:\\{1,4}r)?\\{1,4}n[ \t]{0,200})"
#: Longer than any needle with what may break it. Searches overlap by this much.
OVERLAP = 4096

# Parts of the needles, in which no character stands at two places. One of each needle is in one of the sieves.
SIEVES: tuple[tuple[bytes, ...], ...] = (
    (b"vault", b"mF1bH", b"ZhdWx", b"2YXVs"),
    (b"3gwT", b"kRHA", b"d4ME", b"GRXe", b"JZWF", b"kbUY", b"VhWc", b"tRjF", b"JIUT"),
)
_DROPPED = b"\r\n \t\\\"',\0"


@dataclass(frozen=True)
class Needle:
    """What is looked for.

    Attributes:
        levels: how many times the word is encoded in base64.
        skipped: how many characters of its first group of four precede it.
    """

    text: bytes
    levels: int = 0
    skipped: int = 0


def _encoded(word: bytes, levels: int) -> list[Needle]:
    """What base64 makes of a word, wherever it stands: the characters that do not depend on its neighbours."""
    needles = []
    for before in range(3):
        ends = [base64.b64encode(fill * before + word + fill * 3) for fill in (b"\0", b"\xff")]
        same = [one == other for one, other in zip(*ends)]
        first = same.index(True)
        last = same.index(False, first) if False in same[first:] else len(same)
        needles.append(Needle(ends[0][first:last], levels, first))
    return needles


_ONCE = _encoded(WORD, 1)
# Longer, so that they fit into one sieve.
_TWICE = [twice for once in _encoded(b"vault:v", 1) for twice in _encoded(once.text, 2)]
# Those of UTF-16, as PowerShell has them; without the last NUL, so that they are the same in both orders of bytes.
_WIDE_ONCE = _encoded("vault".encode("utf-16-le")[:-1], 1)
# They need no sieve: parts of them are rare, and short words are looked for fast.
WIDE_PARTS = (b"BhAHU", b"GEAdQ", b"YQB1A")
NEEDLES = (Needle(WORD), *_ONCE, *_TWICE, *_WIDE_ONCE)


def _sieve(parts: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    table = bytearray(256)
    for part in parts:
        for place, char in enumerate(part):
            table[char] = place + 1
    return bytes(table), bytes(range(1, len(parts[0]) + 1))


_SIEVES = [_sieve(parts) for parts in SIEVES]


def _spaced(word: bytes, between: bytes) -> Pattern[bytes]:
    return re.compile(between.join(bytes([char]) for char in word))


_BROKEN = {needle: _spaced(needle.text, b"(?:%s)?" % (BREAK if needle.levels else JOINT)) for needle in NEEDLES}
# In groups, or in parts that stand in quotes, also in those of a list.
_GROUPED = {needle: _spaced(needle.text, rb"[ \t\r\n\\\"',]{0,80}") for needle in NEEDLES if needle.levels}
_WIDE = {needle: _spaced(needle.text, rb"\0{1,3}") for needle in NEEDLES}


class Hit(NamedTuple):
    """Where a needle is.

    Attributes:
        width: bytes for each character.
    """

    place: int
    needle: Needle
    width: int = 1


_PLACE = itemgetter(0)


def hits(text: bytes, begin: int, end: int) -> list[Hit]:
    """The needles that begin in a part of a text, in order."""
    zone = text if begin == 0 and end + OVERLAP >= len(text) else text[begin : end + OVERLAP]
    whole = zone.replace(b"\\r", b"").replace(b"\\n", b"") if b"\\" in zone else zone
    whole = whole.translate(None, _DROPPED)
    if not (
        any(pattern in whole.translate(table) for table, pattern in _SIEVES)
        or any(part in whole for part in WIDE_PARTS)
    ):
        return []
    found: list[Hit] = []
    for needle in NEEDLES:
        expected = whole.count(needle.text)
        if expected:
            found += _hits_of(needle, zone, begin, end, expected)
    found.sort(key=_PLACE)
    return found


def _hits_of(needle: Needle, zone: bytes, offset: int, end: int, expected: int) -> list[Hit]:
    """The places of one needle before an end. ``expected`` counts those that are broken, too, and those behind it."""
    places = [found.start() for found in re.finditer(needle.text, zone)]
    if len(places) < expected:
        places = [found.start() for found in _BROKEN[needle].finditer(zone)]
    if len(places) < expected and needle.levels:
        places = [found.start() for found in _GROUPED[needle].finditer(zone)]
    own = end - offset
    hits_there = [Hit(offset + place, needle) for place in places if place < own]
    if len(places) < expected and b"\0" in zone:
        # Of UTF-16 two bytes, of UTF-32 four.
        wide = [(found.start(), len(found.group()) < 3 * len(needle.text)) for found in _WIDE[needle].finditer(zone)]
        hits_there += [Hit(offset + place, needle, 2 if is_short else 4) for place, is_short in wide if place < own]
    return hits_there
