# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertexts whose first word is escaped, too, or that are written as numbers. **Private** to the collection.

They are found and read, so that it is known whose they are. They are not replaced.
"""

from __future__ import annotations

import re
import string
from typing import Callable, Iterator, Match, Pattern

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import SHORTEST
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import UNKNOWN, Direct, Token

_WORD = b"vault"
_BASE64 = (string.ascii_letters + string.digits + "+/").encode("ascii")


def _hexadecimal(codes: bytes) -> bytes:
    both = (b"%x" % (code >> 4) + (b"[%x%X]" % (code & 15, code & 15)) for code in codes)
    return b"(?:" + b"|".join(both) + b")"


def _escape(codes: bytes) -> bytes:
    """One of some characters as JSON, YAML, JavaScript, C and shells escape it, as URLs do, and as XML does."""
    pattern = (
        rb"(?:\\{1,8}(?:[uU](?:0000)?00%(x)s|x%(x)s|u\{0{0,4}%(x)s\}|0?(?:%(o)s))"
        rb"|%%(?:25){0,3}%(x)s|&(?:amp;){0,2}#(?:0{0,5}(?:%(d)s)|[xX]0{0,5}%(x)s);)"
    )
    octal, decimal = (b"|".join(form % code for code in codes) for form in (b"%03o", b"%d"))
    return pattern % {b"x": _hexadecimal(codes), b"o": octal, b"d": decimal}


def _one(codes: bytes) -> bytes:
    """One of some characters, escaped or not."""
    signs = bytes(code for code in codes if code in b":+/=")
    itself = rb"|\\{1,8}[%s]" % signs if signs else b""
    return b"(?:[%s]|%s%s)" % (codes, _escape(codes), itself)


def _token(one: Callable[[bytes], bytes]) -> Pattern[bytes]:
    """A token whose characters are written in some way."""
    word = b"".join(one(bytes([code])) for code in _WORD + b":v")
    number = one(b"123456789") + one(string.digits.encode("ascii")) + b"{0,17}"
    return re.compile(word + number + one(b":") + one(_BASE64) + b"+" + one(b"=") + b"{0,2}")


def _dumped(codes: bytes) -> bytes:
    """One of some characters in hexadecimal, alone or with what stands before the next one in dumps and listings.

    In UTF-16 and UTF-32 these are also NULs, as in what Windows exports of its registry.
    """
    line_end = rb"(?:\\?\r?\n[ \t]{0,200})?"
    between = rb"(?:,?[ \t]{0,8}%(n)s0[xX]|[ ,:-]?%(n)s)" % {b"n": line_end}
    return b"(?:%(x)s%(b)s(?:00%(b)s){0,3})" % {b"x": _hexadecimal(codes), b"b": between}


def _listed(codes: bytes) -> bytes:
    """One of some characters as a number, alone or with what stands before the next one."""
    number = b"(?:" + b"|".join(b"%d" % code for code in codes) + b")"
    return rb"(?:%(d)s(?![0-9])(?:,[ \t\r\n]{0,200})?(?:0,[ \t\r\n]{0,200}){0,3})" % {b"d": number}


def _from(letter: int) -> bytes:
    """The rest of the word, from the first letter of it that is escaped."""
    rest = [bytes([code]) for code in _WORD[letter:]]
    return b"(?P<from_%d>%s)" % (letter, b"".join([_escape(rest[0]), *map(_one, rest[1:])]))


_REST = re.compile(b"|".join(map(_from, range(len(_WORD)))))
_ESCAPED = _token(_one)
_IN_HEXADECIMAL = _token(_dumped)
_IN_A_LIST = _token(_listed)
_SIGN = re.compile(
    rb"\\+[uU](?:0000)?00(?P<u>[0-9a-fA-F]{2})|\\+x(?P<x>[0-9a-fA-F]{2})|\\+u\{0*(?P<js>[0-9a-fA-F]{2})\}"
    rb"|\\+0?(?P<octal>[01][0-7]{2})|\\+|%(?:25)*(?P<percent>[0-9a-fA-F]{2})"
    rb"|&(?:amp;)*#(?:0*(?P<decimal>[0-9]+)|[xX]0*(?P<xml>[0-9a-fA-F]{2}));"
)
# What is left of the word when all is dropped that only introduces an escape.
_DROPPED = b"\\uUxX0{}%&#;"
_LOWER = bytes(range(256)).lower()
_SIEVE = re.compile(
    rb"(?:v|76|118|166)%(p)s(?:a|61|97|141)%(p)s(?:75|117|165)?%(p)s(?:l|6c|18|154)%(p)s(?:t|74|116|164)"
    % {b"p": rb"(?:25|amp)*"}
)
_BASES = {"octal": 8, "decimal": 10}
# What all ways begin with in the same way is looked for fast.
_NUMERIC_WORDS = (
    re.compile(rb"76(?:61 ?75|[ :-]61[ :-]75[ :-])[ :-]?6"),
    re.compile(rb"76[ ,:-]?[ \t\r\n\\]{0,12}(?:0[xX])?(?:00[ ,:-]?[ \t\r\n\\]{0,12}(?:0[xX])?){1,3}61"),
    re.compile(rb"76[ ,][ \t\r\n\\]{0,12}(?:0[xX])?61[ ,][ \t\r\n\\]{0,12}(?:0[xX])?75[ ,]"),
    re.compile(rb"118,[ \t\r\n]{0,12}(?:0,[ \t\r\n]{0,12}){0,3}97,[ \t\r\n]{0,12}(?:0,[ \t\r\n]{0,12}){0,3}117,"),
)
_BETWEEN = re.compile(rb"0[xX]|[ ,:\\\t\r\n-]")
# A word in the longest of these ways.
_LONGEST = 256


def escaped_places(text: bytes, begin: int, end: int) -> Iterator[int]:
    """Where in a part of a text the word of such a ciphertext may begin, in no order."""
    stop = end + _LONGEST
    if _may_hold(text, begin, stop):
        for rest in _REST.finditer(text, begin, stop):
            letters = int(str(rest.lastgroup)[len("from_") :])
            place = rest.start() - letters
            if begin <= place < end and text[place : rest.start()] == _WORD[:letters]:
                yield place
    places = {word.start() for words in _NUMERIC_WORDS for word in words.finditer(text, begin, stop)}
    yield from (place for place in places if place < end)


def _may_hold(text: bytes, begin: int, end: int) -> bool:
    """Whether there is an escaped word: decided fast, since most texts hold none."""
    if all(text.find(sign, begin, end) < 0 for sign in (b"\\", b"%", b"&")):
        return False
    zone = text[begin:end]
    words = sum(1 for _word in _SIEVE.finditer(zone.translate(_LOWER, _DROPPED)))
    return words > zone.count(_WORD)


def escaped_at(text: bytes, place: int, reach: int) -> Direct | None:
    """The ciphertext that begins at a place, ``None`` for none."""
    found = _ESCAPED.match(text, place, place + reach)
    content = _SIGN.sub(_character, found.group()) if found else b""
    if found is None:
        found = _IN_HEXADECIMAL.match(text, place, place + reach)
        content = bytes.fromhex(_BETWEEN.sub(b"", found.group()).decode("ascii")) if found else b""
    if found is None:
        found = _IN_A_LIST.match(text, place, place + reach)
        content = bytes(map(int, re.findall(rb"[0-9]+", found.group()))) if found else b""
    if found is None or len(content) < SHORTEST:
        return None
    token = Token(content.translate(None, b"\0").decode("latin-1"), "unknown", UNKNOWN)
    return Direct(place, found.end(), token, found.group())


def _character(escape: Match[bytes]) -> bytes:
    way = escape.lastgroup
    return bytes([int(escape.group(way), _BASES.get(way, 16))]) if way else b""
