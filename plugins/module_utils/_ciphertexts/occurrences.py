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
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import OVERLAP, Hit, Needle, hits
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.runs import Runs
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import START, Direct, Token, found_at

WIDE = "UTF-{} text is not supported"
# Base64 in base64 in base64 is not looked into.
_DEEPEST = 3
# So much of UTF-16 is looked at for one ciphertext, and so much before it.
_WIDE_SAMPLE = 16_384
_BEFORE_WIDE = 512

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
            found = _wide(text, hit, floor)
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
    escaped += _wide_hits(text, begin, end, found)
    return sorted([*found, *escaped], key=lambda hit: hit.place) if escaped else found


def _wide_hits(text: bytes, begin: int, end: int, known: Sequence[Hit]) -> list[Hit]:
    """What else there is in UTF-16 and UTF-32: escaped words, and base64 that is broken."""
    if text.find(b"\0", begin, end) < 0:
        return []
    zone = text[begin : end + OVERLAP]
    narrow = zone.translate(None, b"\0")
    places = {hit.place for hit in hits(narrow, 0, len(narrow))} | set(escaped_places(narrow, 0, len(narrow)))
    if not places:
        return []
    own = [begin + place for place, code in enumerate(zone) if code]
    found = {own[place] for place in places} - {hit.place for hit in known}
    # A NUL somewhere else does not make it wide text.
    return [
        Hit(place, _ESCAPED, 2 if text[place + 2 : place + 3] != b"\0" else 4)
        for place in found
        if place < end and text[place + 1 : place + 2] == b"\0"
    ]


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


def _wide(text: bytes, hit: Hit, floor: int) -> Direct | None:
    """A ciphertext in UTF-16 or UTF-32."""
    # Base64 begins before its needle.
    before = text[max(floor, hit.place - _BEFORE_WIDE) : hit.place].translate(None, b"\0")
    sample = before + text[hit.place : hit.place + _WIDE_SAMPLE].translate(None, b"\0")
    place = len(before)
    inner = next(occurrences(sample, place, place + 1, 0, len(sample)), None)
    if inner is None:
        return None
    end = hit.place + (inner.end - place) * hit.width
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


# A call of an agent's template: `{{ with secret "transit/decrypt/k" "ciphertext=…" "context=…" }}`, quoted anyhow.
_ARGUMENT = b"ciphertext="
_CONTEXT = re.compile(rb"[\"'`]context=([A-Za-z0-9+/]*={0,2})(?![A-Za-z0-9+/=%])")
_MOST_OF_CALL = 600
#: How a ciphertext is written whose name is the context in the same call, and one without a context there.
CALLED, CALLED_WITHOUT = "template", "template without context"


def context_at(text: bytes, begin: int, end: int) -> str | None:
    """The context with which a template decrypts the ciphertext at a place.

    Returns:
        Empty if it gives none. ``None`` outside of such a call, and if the context is not written in it.
    """
    if not text.endswith(_ARGUMENT, 0, begin):
        return None
    first = text.rfind(b"{{", max(0, begin - _MOST_OF_CALL), begin)
    last = text.find(b"}}", end, end + _MOST_OF_CALL)
    if first < 0 or last < 0 or text.find(b"}}", first, begin) >= 0:
        return None
    call = text[first:begin] + text[end:last]
    found = _CONTEXT.search(call)
    if found is None:
        return None if b"context" in call else ""
    try:
        return base64.b64decode(found.group(1), validate=True).decode("utf-8")
    except ValueError:
        # No secret has such a name.
        return f"base64:{found.group(1).decode('ascii')}"


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


# The block of an encrypted vars file that holds its fingerprints, which look like ciphertexts: one of 4 bytes of text
# also has their size. So a fingerprint is what stands where such a file has one, in the way it is written there.
BLOCK_WORD = b"_transit"
# No step looks further ahead.
_AHEAD = 384
# Git's marks of a conflict are of neither side.
_CONFLICT_MARK = rb"(?:<{7}|\|{7}|={7}|>{7})(?:[ \t][^\r\n]{0,200})?(?=\r?\n|\Z)"
_BLANKS = rb"(?:[ \t\r\n]|\\{1,8}[nr]|(?<=\n)%b){0,100}" % _CONFLICT_MARK
_LINE_ENDS = rb"(?=[ \t]*(?:[ \t]#|\r?\n|\Z))"
# That of a variable, or the path of a leaf below it.
_NAME = rb"[A-Za-z_][A-Za-z0-9_.%-]{0,199}"
# An HMAC with SHA-256, the digest of the ciphertext that it belongs to, and the kind of its value.
_STORED = rb"vault:v[1-9][0-9]{0,17}:(?:[A-Za-z0-9+]|\\{0,8}/){43}=(?:[ \t\r\n]{1,100}sha256:[0-9a-f]{32}(?: json)?)?"

_NO_CONTENT = re.compile(rb" *(?=#|\r?\n|\Z)|(?<![^\n])" + _CONFLICT_MARK)
_BLOCK_HEADER = re.compile(rb"_transit([\"']?) *:" + _LINE_ENDS)
_BLOCK_CHILD = re.compile(rb" *([\"']?)hmac\1 *:" + _LINE_ENDS)
_BLOCK_FLOW = re.compile(rb" *([\"']?)hmac\1 *:[ \t]*\{")
_BLOCK_ENTRY = re.compile(
    rb" *([\"']?)%b\1 *:[ \t]*(?:[ \t]|[|>]?[+-]?[ \t]*\r?\n *)([\"']?)%b\2%b" % (_NAME, _STORED, _LINE_ENDS)
)
_FLOW_HEADER = re.compile(rb"_transit(\\{0,8}\"|'|)%b:%b\{" % (_BLANKS, _BLANKS))


class _Flow:
    """Steps through a mapping in braces, whose quotes stand behind this many backslashes."""

    def __init__(self, escapes: int) -> None:
        quote = rb"(\\{%d}\"|'|)" % escapes
        key = rb"%b,?%b%b(%b)\1%b:%b" % (_BLANKS, _BLANKS, quote, _NAME, _BLANKS, _BLANKS)
        ends = rb"(?=%b[,}])" % _BLANKS
        self.closed = re.compile(rb"%b,?%b\}" % (_BLANKS, _BLANKS))
        self.opened = re.compile(key + rb"\{")
        self.entry = re.compile(rb"%b%b%b\3%b" % (key, quote, _STORED, ends))
        # A list, as that of names without encryption, has no others in it.
        text = (
            rb"\[[^\[\]{}]{0,300}\]|\\{%d}\"(?:[^\"\\]|\\{1,8}/){0,300}\\{%d}\"|'[^'\\]{0,300}'|[^{}\[\]\"'\\,#\n]{1,300}?"
            % (
                escapes,
                escapes,
            )
        )
        self.scalar = re.compile(rb"%b(?:%b)%b" % (key, text, ends))


_FLOWS = [_Flow(escapes) for escapes in range(9)]
_IN_LINES, _IN_BRACES = 1, 2
# What the innermost mapping in braces is.
_METADATA, _HMACS, _OTHER = 0, 1, 2


class Fingerprints:
    """Whether a place is that of a fingerprint. A text is read in order, in parts of any size.

    Whatever cannot be in an encrypted vars file ends it: the rest are ciphertexts.

    Attributes:
        state: empty outside of such a file's block, otherwise what is known of it:

            - lines: the indentation of the block, that of the names in it (-1 before the first), that of the
              fingerprints (-1 outside of them, 0 before the first), and 1 inside of a line
            - braces: what the innermost mapping is, and how many backslashes stand before each quote

            Behind that, how far it has read ahead, and 1 if that is the end of a fingerprint.
    """

    def __init__(self, state: tuple[int, ...] = ()) -> None:
        self.state = state

    def read(self, text: bytes, begin: int, end: int) -> None:
        """Go on with a part of the text. What surrounds the part is looked at, too."""
        place, is_stored = begin, 0
        if self.state:
            place, is_stored = begin + self.state[-2], self.state[-1]
        while place < end:
            kind = self.state[0] if self.state else 0
            is_stored = 0
            if kind == _IN_LINES:
                place, is_stored = self._step_in_lines(text, place, end)
            elif kind == _IN_BRACES:
                place, is_stored = self._step_in_braces(text, place)
            else:
                place = self._find(text, place, end)
        if self.state:
            self.state = (*self.state[:-2], place - end, is_stored)

    def covers(self, found: Occurrence) -> bool:
        """Whether what begins where the reading ended is a fingerprint."""
        if not self.state or not self.state[-1] or isinstance(found, Contained):
            return False
        return found.end - found.start <= self.state[-2]

    def _find(self, text: bytes, begin: int, end: int) -> int:
        place = text.find(BLOCK_WORD, begin, end + len(BLOCK_WORD) - 1)
        if place < 0:
            return end
        first = max(0, place - 200)
        before = text[max(first, text.rfind(b"\n", first, place) + 1) : place]
        is_line = not first or text.find(b"\n", first, place) >= 0
        opened = _BLOCK_HEADER.match(text, place, place + _AHEAD)
        if opened is not None and is_line and before.lstrip(b" ") == opened.group(1):
            self.state = (_IN_LINES, len(before) - len(opened.group(1)), -1, -1, 1, 0, 0)
            return opened.end()
        opened = _FLOW_HEADER.match(text, place, place + _AHEAD)
        if opened is None:
            return place + len(BLOCK_WORD)
        quote = opened.group(1)
        if quote:
            is_key = before.endswith(quote) and not before.endswith(b"\\" + quote)
        else:
            is_key = before.rstrip(b" ").endswith((b"{", b",")) or (is_line and not before.strip(b" "))
        if not is_key:
            return place + len(BLOCK_WORD)
        self.state = (_IN_BRACES, _METADATA, max(0, len(quote) - 1), 0, 0)
        return opened.end()

    def _step_in_lines(self, text: bytes, place: int, end: int) -> tuple[int, int]:
        """Where the next step begins, and 1 if what precedes that is a fingerprint."""
        _kind, block, child, stored, is_inside = self.state[:5]
        if is_inside:
            closed = text.find(b"\n", place, end)
            if closed >= 0:
                self.state = (_IN_LINES, block, child, stored, 0, 0, 0)
            return (closed + 1 if closed >= 0 else end), 0
        limit = place + _AHEAD
        step = 0
        found = _NO_CONTENT.match(text, place, limit)
        if found is None:
            content = text[place:limit]
            depth = len(content) - len(content.lstrip(b" "))
            if depth <= block:
                self.state = ()
                return place, 0
            child = depth if child < 0 else child
            if depth <= child:
                stored = -1
                found = _BLOCK_FLOW.match(text, place, limit) if depth == child else None
                if found is not None:
                    self.state = (_IN_BRACES, _HMACS, 0, 0, 0)
                    return found.end(), 0
                stored = 0 if depth == child and _BLOCK_CHILD.match(text, place, limit) else -1
            elif stored >= 0:
                stored = stored or depth
                found = _BLOCK_ENTRY.match(text, place, limit) if depth == stored else None
                step = int(found is not None)
        self.state = (_IN_LINES, block, child, stored, 1, 0, 0)
        return (found.end() if found else place), step

    def _step_in_braces(self, text: bytes, place: int) -> tuple[int, int]:
        """The same."""
        _kind, mapping, escapes = self.state[:3]
        flow, limit = _FLOWS[escapes], place + _AHEAD
        found = flow.closed.match(text, place, limit)
        if found is not None:
            # Nothing of what follows the fingerprints holds others.
            self.state = (_IN_BRACES, _METADATA, escapes, 0, 0) if mapping == _OTHER else ()
            return found.end(), 0
        found = flow.entry.match(text, place, limit) if mapping == _HMACS else flow.scalar.match(text, place, limit)
        if found is not None:
            return found.end(), int(mapping == _HMACS)
        found = flow.opened.match(text, place, limit) if mapping == _METADATA else None
        if found is None:
            self.state = ()
            return place, 0
        self.state = (_IN_BRACES, _HMACS if found.group(2) == b"hmac" else _OTHER, escapes, 0, 0)
        return found.end(), 0
