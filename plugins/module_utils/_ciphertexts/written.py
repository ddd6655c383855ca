# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""How formats write single characters: as they are, or escaped. **Private** to the collection.

JSON, YAML and JavaScript (``\\/``, ``\\u002b``, ``\\x2b``; more backslashes where one is inside another), Java
properties (``\\:``), URLs (``%2B``, ``%252B``), XML and HTML (``&#43;``, ``&#x2b;``, ``&plus;``).
"""

from __future__ import annotations

import html
import re
from typing import Match

# Base64 text in hexadecimal and decimal codes.
_HEX = rb"(?:2[bBfF]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])"
_DECIMAL = rb"(?:43|4[7-9]|5[0-7]|6[5-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2])"


def _escapes(hexadecimal: bytes, decimal: bytes, entity: bytes, itself: bytes) -> bytes:
    """A pattern of the ways to escape a character."""
    return (
        rb"(?:%%(?:25){0,3}%(x)s"
        rb"|\\{1,8}(?:[uU](?:0000)?00%(x)s|x%(x)s|%(i)s)"
        rb"|&(?:amp;){0,2}(?:#(?:0{0,5}%(d)s|[xX]0{0,5}%(x)s)|%(e)s);)"
    ) % {b"x": hexadecimal, b"d": decimal, b"e": entity, b"i": itself}


_PAYLOAD_ESCAPE = _escapes(_HEX, _DECIMAL, rb"(?:plus|sol)", rb"[+/]")
_COLON_ESCAPE = _escapes(rb"3[aA]", rb"58", rb"colon", rb":")
_PAD_ESCAPE = _escapes(rb"3[dD]", rb"61", rb"equals", rb"=")
# The two characters of base64 beside letters and digits.
SIGN_ESCAPE = _escapes(rb"2[bBfF]", rb"4[37]", rb"(?:plus|sol)", rb"[+/]")

COLON = b"(?::|" + _COLON_ESCAPE + b")"
PAD = b"(?:=|" + _PAD_ESCAPE + b")"
PAYLOAD = b"(?:[A-Za-z0-9+/]+|" + _PAYLOAD_ESCAPE + b")+"
PAYLOAD_CHARACTER = b"(?:[A-Za-z0-9+/]|" + _PAYLOAD_ESCAPE + b")"

# Line ends and quotes inside of a token that its reader drops.
_SPACE = rb"[ \t]{0,200}"
# Nothing but one token is meant: YAML in double quotes, scripts and Dockerfiles, neighbouring quoted parts of a script.
STRONG_JOINT = rb"(?:\\{1,4}\r?\n%s|[\"'](?:%s\\\r?\n%s)?[\"'])" % (_SPACE, _SPACE, _SPACE)
# One token only where its parts make none of their own: folded lines, neighbouring texts of Python and C.
_WEAK_JOINT = rb"(?:\r?\n%s|[\"'](?:[ \t]{1,200}|%s\r?\n%s)[\"'])" % (_SPACE, _SPACE, _SPACE)
JOINT = b"(?:" + STRONG_JOINT + b"|" + _WEAK_JOINT + b")"

_ESCAPE = b"(?:" + b"|".join([_PAYLOAD_ESCAPE, _COLON_ESCAPE, _PAD_ESCAPE]) + b")"
_UNIT = re.compile(rb"(?P<joint>%s)|%s|[:+/=]" % (JOINT, _ESCAPE))
_SIGNS = re.compile(rb"[:+/=]")
_ANY_ESCAPE = re.compile(_ESCAPE)
_ANY_JOINT = re.compile(JOINT)


def character(written: bytes) -> str:
    """The character that is written."""
    if len(written) == 1:
        return written.decode("latin-1")
    if written.startswith(b"%"):
        return chr(int(written[-2:], 16))
    if written.startswith(b"&"):
        text = written.decode("ascii")
        while len(text) > 1:
            text = html.unescape(text)
        return text
    code = written.lstrip(b"\\")
    return chr(int(code[1:], 16)) if len(code) > 1 else code.decode("ascii")


def plain(written: bytes) -> str:
    """The text that is written, without joints."""
    if b"\n" in written or b'"' in written or b"'" in written:
        written = _ANY_JOINT.sub(b"", written)
    if b"\\" in written or b"%" in written or b"&" in written:
        written = _ANY_ESCAPE.sub(lambda found: character(found.group()).encode("latin-1"), written)
    return written.decode("latin-1")


class Spelling:
    """How one token or base64 is written, to write another the same way.

    Each character that was escaped stays so. Other characters than the old one's stand as they are, which all formats
    but URLs accept, and as URLs write them where the old one's are written so.
    """

    def __init__(self, written: bytes, *, in_url: bool = False) -> None:
        """
        Args:
            in_url: whether ``+`` means a blank here.
        """
        self._seen: dict[str, list[bytes]] = {}
        self._joints: list[tuple[int, bytes]] = []
        self._percent = b""
        self._upper = True
        self._in_url = in_url
        for unit in _UNIT.finditer(written):
            if unit.group("joint"):
                self._joints.append((len(plain(written[: unit.start()])), unit.group()))
            else:
                self._learn(unit.group())

    def _learn(self, written: bytes) -> None:
        self._seen.setdefault(character(written), []).append(written)
        if written.startswith(b"%"):
            self._percent = written[:-2]
            self._upper = written[-2:] == written[-2:].upper()

    def write(self, text: str) -> bytes:
        """Another text, with the joints where the old one has them."""
        colons: list[bytes] = []

        def escaped(found: Match[bytes]) -> bytes:
            char = found.group().decode("ascii")
            if char != ":":
                return self._one(char, 0)
            colons.append(self._one(char, len(colons)))
            return colons[-1]

        parts = []
        end = 0
        # A joint stands between two characters; those behind the end of a shorter text fall away.
        for place, joint in self._joints:
            if place < len(text):
                parts += [_SIGNS.sub(escaped, text[end:place].encode("ascii")), joint]
                end = place
        return b"".join([*parts, _SIGNS.sub(escaped, text[end:].encode("ascii"))])

    def _one(self, char: str, nth: int) -> bytes:
        seen = self._seen.get(char)
        if seen is None:
            if self._percent or (self._in_url and char == "+"):
                code = b"%02X" % ord(char)
                return (self._percent or b"%") + (code if self._upper else code.lower())
            return char.encode("ascii")
        if char == ":":
            return seen[min(nth, len(seen) - 1)]
        # The longest is an escape, if there is one.
        return max(seen, key=len)


def form_of(written: bytes) -> str:
    """What the ways are called in which a token is written."""
    forms = []
    joints = _ANY_JOINT.findall(written)
    rest = _ANY_JOINT.sub(b"", written) if joints else written
    for sign, name in ((b"\\", "json"), (b"%", "percent"), (b"&", "xml")):
        if sign in rest:
            forms.append(name)
    if any(b'"' in joint or b"'" in joint for joint in joints):
        forms.append("split")
    elif any(b"\\" in joint for joint in joints):
        forms.append("continued")
    elif joints:
        forms.append("folded")
    return "+".join(forms) or "plain"
