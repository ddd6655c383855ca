# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The ciphertexts of a text in order, with what the text calls them. **Private** to the collection."""

from __future__ import annotations

import base64
import re
from functools import partial
from typing import Iterator, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import (
    Contained,
    Occurrence,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.escaped import escaped_at, escaped_places
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import Hit, Needle, hits
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.runs import Runs
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import START, Direct, Token, found_at

WIDE = "UTF-{} text is not supported"
# Base64 in base64 in base64 is not looked into.
_DEEPEST = 3
# So much of UTF-16 is looked at for one ciphertext.
_WIDE_SAMPLE = 4096

_ESCAPED = Needle(b"")

_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_QUOTES = b"\"'`\\"
# What may stand between a name's sign and its value: `ENC(`, `bearer-`, `!vault_`.
_AFFIX = _NAME_CHARACTERS + b"!({[@/"
_LONGEST_NAME = 100
# A name and a sign behind it, which is what most lines hold before their value.
_USUAL = re.compile(rb"[ \t]{0,50}(?:export |- )?[\"']?([A-Za-z_][A-Za-z0-9_.-]{0,99})[\"']?[ \t]?[:=][ \t]?[\"'`]?")
_BLOCK_MARK = re.compile(rb"(?<=[: \t])[|>][+-]?[0-9]?[ \t\r]*$")
_TAG = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.:-]{0,100})((?:\s[^<>]{0,150})?)>\s{0,50}$")
_ATTRIBUTE = re.compile(rb"\b(?:name|key|id)=[\"']([^\"']{1,100})[\"']")


def occurrences(text: bytes, begin: int, end: int, floor: int, reach: int, depth: int = 0) -> Iterator[Occurrence]:
    """Those whose needle is in a part of a text, none overlapping another.

    Args:
        floor: nothing before belongs to one.
        reach: how far from its needle an occurrence may reach.
        depth: how many times the text was encoded in base64.
    """
    runs = Runs(text, reach, partial(_searched, reach=reach, depth=depth + 1))
    # Base64 without ciphertexts is looked into once.
    examined = floor
    for hit in _all_hits(text, begin, end):
        if hit.place < floor or (hit.needle.levels and hit.place < examined):
            continue
        found: Occurrence | None
        if hit.width > 1:
            found = _wide(text, hit)
        elif hit.needle.levels:
            found, examined = runs.container(hit, max(floor, examined))
        elif hit.needle is _ESCAPED:
            found = escaped_at(text, hit.place, reach)
        else:
            found = found_at(text, hit.place, reach)
            if found is None and not START.match(text, hit.place):
                found = escaped_at(text, hit.place, reach)
        if found is not None:
            floor = found.end
            yield found


def _all_hits(text: bytes, begin: int, end: int) -> list[Hit]:
    found = hits(text, begin, end)
    escaped = [Hit(place, _ESCAPED) for place in escaped_places(text, begin, end)]
    return sorted([*found, *escaped], key=lambda hit: hit.place) if escaped else found


def _searched(text: bytes, reach: int, depth: int) -> Sequence[Occurrence]:
    """The occurrences in a decoded text, each with its name."""
    if depth > _DEEPEST:
        return ()
    block = Fingerprints()
    found = []
    place = 0
    for one in occurrences(text, 0, len(text), 0, reach, depth):
        block.read(text, place, one.start)
        place = one.start
        if not block.covers(one):
            one.name(name_at(text, one.start))
            found.append(one)
    return found


def _wide(text: bytes, hit: Hit) -> Direct | None:
    """A ciphertext in UTF-16 or UTF-32."""
    sample = text[hit.place : hit.place + _WIDE_SAMPLE].translate(None, b"\0")
    inner = next(occurrences(sample, 0, 1, 0, len(sample)), None)
    if inner is None:
        return None
    end = hit.place + (inner.end - inner.start) * hit.width
    bits = 8 * hit.width
    token = Token(inner.tokens[0].text, f"utf-{bits}", WIDE.format(bits))
    return Direct(hit.place, end, token, text[hit.place : end])


def name_at(text: bytes, place: int) -> str:
    """What the text calls the value that begins at a place, empty where it has no name."""
    first = max(0, place - 300)
    usual = _USUAL.match(text, max(first, text.rfind(b"\n", first, place) + 1), place)
    if usual is not None and usual.end() == place:
        return usual.group(1).decode("ascii")
    before = text[first:place]
    line = before[before.rfind(b"\n") + 1 :]
    if not line.strip():
        # The value of a block, or one below its name.
        line = before.rstrip()
        line = line[line.rfind(b"\n") + 1 :]
        return _name_before(line) if line.endswith(b":") or _BLOCK_MARK.search(line) else ""
    return _name_before(line)


def _name_before(line: bytes) -> str:
    line = _BLOCK_MARK.sub(b"", line.rstrip(_QUOTES)).rstrip(b" \t")
    if not line.endswith((b":", b"=")):
        tag = _TAG.search(line) if line.endswith(b">") else None
        if tag is not None:
            named = _ATTRIBUTE.search(tag.group(2))
            return (named or tag).group(1).decode("ascii", "replace")
        line = line.rstrip(_AFFIX).rstrip(_QUOTES).rstrip(b" \t")
        if not line.endswith((b":", b"=")):
            return ""
    line = line.rstrip(b":=").rstrip(b" \t").rstrip(_QUOTES)
    name = line[len(line.rstrip(_NAME_CHARACTERS)) :].lstrip(b"0123456789.-")
    return name.decode("ascii") if len(name) <= _LONGEST_NAME else ""


# The block of an encrypted vars file that holds its fingerprints, which look like ciphertexts.
BLOCK_WORD = b"_transit"
_OBJECT = re.compile(rb"_transit\\{0,8}\"[ \t\r\n]{0,200}:[ \t\r\n]{0,200}\{")
_BRACES = re.compile(rb"[{}]")
_HMAC_SIZES = (28, 32, 48, 64)


class Fingerprints:
    """Whether a place is in a block of fingerprints. A text is read in order, in parts of any size."""

    def __init__(self, state: tuple[str, int] = ("", 0)) -> None:
        self.state = state

    def read(self, text: bytes, begin: int, end: int) -> None:
        """Go on with a part of the text. What surrounds the part is looked at, too."""
        while begin < end:
            kind, depth = self.state
            if kind == "lines":
                begin = self._read_lines(text, begin, end, depth)
            elif kind == "braces":
                begin = self._read_braces(text, begin, end, depth)
            else:
                begin = self._find(text, begin, end)

    def covers(self, found: Occurrence) -> bool:
        """Whether what stands here is a fingerprint, which has the size of an HMAC."""
        if not self.state[0] or isinstance(found, Contained) or found.token.problem:
            return False
        return len(base64.b64decode(found.token.text.split(":", 2)[2])) in _HMAC_SIZES

    def _find(self, text: bytes, begin: int, end: int) -> int:
        place = text.find(BLOCK_WORD, begin, end + len(BLOCK_WORD))
        while place >= 0:
            behind = place + len(BLOCK_WORD)
            indentation = text[text.rfind(b"\n", max(0, place - 200), place) + 1 : place]
            opened = _OBJECT.match(text, place) if indentation.endswith(b'"') else None
            if opened is not None:
                self.state = ("braces", 1)
                return opened.end()
            if not indentation.strip(b" \t") and text[behind : behind + 1] == b":":
                self.state = ("lines", len(indentation))
                return behind
            place = text.find(BLOCK_WORD, behind, end + len(BLOCK_WORD))
        return end

    def _read_lines(self, text: bytes, begin: int, end: int, depth: int) -> int:
        """It ends before the first line that is not indented deeper, blank lines and comments aside."""
        closed = re.compile(rb"\n(?![ \t]{%d}|[ \t]*(?:[#\r\n]|\Z))" % (depth + 1)).search(text, begin, end + 4096)
        if closed is None or closed.start() >= end:
            return end
        self.state = ("", 0)
        return closed.end()

    def _read_braces(self, text: bytes, begin: int, end: int, depth: int) -> int:
        # Neither names of variables nor fingerprints hold a brace.
        for brace in _BRACES.finditer(text, begin, end):
            depth += 1 if brace.group() == b"{" else -1
            if not depth:
                self.state = ("", 0)
                return brace.end()
        self.state = ("braces", depth)
        return end
