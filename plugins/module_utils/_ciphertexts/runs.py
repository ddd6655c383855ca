# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Where base64 with ciphertexts begins and ends in a text. **Private** to the collection."""

from __future__ import annotations

import base64
import re
from functools import partial
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import (
    FROM_URL,
    Contained,
    Occurrence,
    decoded,
    opened,
    raw_of,
    unbroken,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import BREAK, NEEDLES, Hit
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import (
    START,
    Direct,
    Token,
    token_at,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import PAD, SIGN_ESCAPE

IN_LONG_BASE64 = "it is in base64 of 1 MiB or more on one line, which is not decoded"
UNCLEAR = "it is in base64 that is damaged or of something else than text"
#: What finds the ciphertexts in a decoded text.
Search = Callable[[bytes], Sequence[Occurrence]]

_LINE = rb"(?:[A-Za-z0-9+/_-]+|%s)+" % SIGN_ESCAPE
_RUN = re.compile(rb"%s(?:%s%s)*%s{0,2}" % (_LINE, BREAK, _LINE, PAD))
# Behind an escape of something else a run may begin.
_RUN_OR_ESCAPE = re.compile(
    rb"(?P<run>%s)|%%[0-9A-Fa-f]{2}|\\{1,8}(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[^ux\\])|&#?[0-9A-Za-z]{1,8};"
    % _RUN.pattern
)
_BREAK = re.compile(BREAK)
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# All that may belong to a run. It is looked for backwards, and then read forwards.
_BROAD = _ALPHABET + b"-_\\%&#; \t\r\n"
# So much decides whether a needle begins a ciphertext, and so much is shown of one.
_SHORT_SAMPLE = 256
_SAMPLE = 4096
# Groups of base64, which blanks, quotes and what joins these part.
_PARTING = rb"(?:\\{1,8}[nrt]|[ \t\r\n\"']\+(?=[ \t\r\n\"'])|[ \t\r\n\\\"',.&~])"
_SEPARATOR = re.compile(_PARTING)
_GROUPS = re.compile(rb"[A-Za-z0-9+/_-]+(?:%s{1,80}[A-Za-z0-9+/_-]+)*={0,2}" % _PARTING)
# More than the beginning of a ciphertext alone.
_LONG_START = re.compile(START.pattern + rb"[A-Za-z0-9+/]{20}")
_USUAL_WIDTHS = (60, 64, 72, 76)


class _Line(NamedTuple):
    """A line of a run.

    Attributes:
        gap: what ends it, empty for the last.
    """

    begin: int
    end: int
    gap: bytes


class Runs:
    """The runs of base64 in a text. They are read in order, and each once, however many needles are in it."""

    def __init__(self, text: bytes, reach: int, search: Search) -> None:
        """
        Args:
            reach: how far from a needle a run is read.
            search: what finds the ciphertexts in what is decoded.
        """
        self._text = text
        self._reach = reach
        self._search = search
        self._lines: list[_Line] = []
        self._own = 0
        # How far the present run may be read for another needle.
        self._until = 0
        # The lines that are wrapped around the last needle, and what turned out not to be base64 of a text.
        self._wrapped = (1, 0)
        self._failed = (0, 0)

    def container(self, hit: Hit, floor: int) -> tuple[Occurrence | None, int]:
        """What holds the ciphertext of a needle, ``None`` if there is none; and up to where that is settled.

        Args:
            floor: nothing before belongs to it.
        """
        if not _is_promising(self._sample(hit, _SHORT_SAMPLE), hit.needle.levels):
            return self._grouped(hit, hit.place)
        self._go_to(hit, floor)
        fallback = None
        for span in self._candidates(hit, floor):
            content = opened(self._text[slice(*span)])
            if content is None:
                self._failed = span if span[1] - span[0] > self._failed[1] - self._failed[0] else self._failed
                continue
            inner = self._search(content)
            if not inner and fallback is None:
                return self._grouped(hit, max(span[1], hit.place))
            if not inner:
                return fallback, max(span[1], hit.place)
            found = Contained(span, self._text[slice(*span)], content, inner)
            if not any(token.problem for token in found.tokens):
                return found, found.end
            fallback = fallback or found
        if fallback is not None:
            return fallback, fallback.end
        return self._unclear(hit, floor)

    def _unclear(self, hit: Hit, floor: int) -> tuple[Occurrence | None, int]:
        own = self._lines[self._own]
        begin = max(own.begin, floor)
        end = max(own.end, hit.place + len(hit.needle.text))
        shown = _shown(self._sample(hit, _SAMPLE))
        if not shown and hit.needle.levels == 1:
            return self._grouped(hit, end)
        problem = UNCLEAR if end - begin < self._reach else IN_LONG_BASE64
        return Direct(begin, end, Token(shown, "base64", problem), self._text[begin:end]), end

    def _grouped(self, hit: Hit, settled: int) -> tuple[Occurrence | None, int]:
        """A ciphertext in base64 that stands in groups, or in parts with quotes; ``None`` if there is none.

        Args:
            settled: up to where the text is settled without it.
        """
        groups, sample = self._groups(hit, _SHORT_SAMPLE)
        if not (_LONG_START.search(sample) or (hit.needle.levels > 1 and _is_promising(sample, hit.needle.levels))):
            return None, settled
        groups, sample = self._groups(hit, _SAMPLE)
        end = hit.place + len(groups)
        return Direct(hit.place, end, Token(_shown(sample), "base64", UNCLEAR), groups), end

    def _groups(self, hit: Hit, size: int) -> tuple[bytes, bytes]:
        """The groups from a needle on, and what they decode to; both empty where it stands in a single one."""
        found = _GROUPS.match(self._text, hit.place, hit.place + size)
        groups = found.group() if found else b""
        raw = _SEPARATOR.sub(b"", groups)
        if len(raw) == len(groups):
            return b"", b""
        return groups, self._decoded(hit, raw, partial(_SEPARATOR.sub, b""))

    def _sample(self, hit: Hit, size: int) -> bytes:
        """The beginning of what a needle's base64 decodes to, from the needle's first group of four on."""
        run = _RUN.match(self._text, hit.place, hit.place + size)
        return self._decoded(hit, raw_of(run.group()) if run else b"", unbroken)

    def _decoded(self, hit: Hit, raw: bytes, joined: Callable[[bytes], bytes]) -> bytes:
        """What base64 decodes to that begins with a needle.

        Args:
            joined: makes one piece of the base64 before it.
        """
        raw = raw.translate(FROM_URL).rstrip(b"=")
        if skipped := hit.needle.skipped:
            lead = joined(self._text[max(0, hit.place - _SHORT_SAMPLE) : hit.place])[-skipped:]
            raw = (b"A" * skipped if len(lead) < skipped or lead.strip(_ALPHABET) else lead) + raw
        # That of UTF-16 is shown as well.
        return base64.b64decode(raw[: len(raw) // 4 * 4]).translate(None, b"\0")

    def _go_to(self, hit: Hit, floor: int) -> None:
        """Make the line of a needle the present one."""
        if not self._lines or hit.place >= self._lines[-1].end or hit.place >= self._until:
            self._read(hit.place, max(floor, hit.place - self._reach), hit.place + self._reach)
        while self._own + 1 < len(self._lines) and self._lines[self._own].end <= hit.place:
            self._own += 1

    def _read(self, place: int, begin: int, end: int) -> None:
        """The longest piece of text around a place that may be base64."""
        before = self._text[begin:place]
        first = begin + len(before.rstrip(_BROAD))
        span = place, place
        for found in _RUN_OR_ESCAPE.finditer(self._text, first, end):
            if found.end() > place and found.group("run"):
                span = found.span()
                break
        self._lines, self._own = [], 0
        self._wrapped, self._failed = (1, 0), (0, 0)
        line = span[0]
        for gap in _BREAK.finditer(self._text, *span):
            self._lines.append(_Line(line, gap.start(), gap.group()))
            line = gap.end()
        self._lines.append(_Line(line, span[1], b""))
        # What is cut off has to be read again when a needle is nearer to it.
        is_cut = span[1] == end < len(self._text)
        self._until = place + self._reach // 2 if is_cut else span[1]
        if is_cut and len(self._lines) > 1:
            self._lines.pop()

    def _candidates(self, hit: Hit, floor: int) -> Iterator[tuple[int, int]]:
        """What may be the whole of the base64 in which a needle is, the likeliest first."""
        own = self._lines[self._own]
        if own.end - own.begin >= self._reach:
            return
        block = self._block(floor)
        is_wrapped = block not in ((own.begin, own.end), self._failed) and self._is_wrapped(block)
        if is_wrapped:
            yield block
        if hit.place + len(hit.needle.text) <= own.end:
            yield max(own.begin, floor), own.end
            # Something of the same characters precedes it: a path, or a word and a dash.
            yield own.begin + len(self._text[own.begin : hit.place].rstrip(_ALPHABET)), own.end
            if hit.needle.skipped == 0:
                yield hit.place, own.end
        if not is_wrapped and block not in ((own.begin, own.end), self._failed):
            yield block

    def _length(self, number: int) -> int:
        return len(raw_of(self._text[self._lines[number].begin : self._lines[number].end]))

    def _block(self, floor: int) -> tuple[int, int]:
        """The lines around the present one that are one text, or it alone."""
        lines, own = self._lines, self._own
        alone = max(lines[own].begin, floor), lines[own].end
        near = range(max(0, own - 1), min(len(lines), own + 2))
        if all(_is_one_token(self._text[lines[number].begin : lines[number].end]) for number in near):
            return alone
        if not self._wrapped[0] <= own <= self._wrapped[1]:
            self._wrapped = self._equal_lines()
        first, last = self._wrapped
        # Where a part was settled by itself, the lines are not one text.
        return alone if lines[first].begin < floor else (lines[first].begin, lines[last].end)

    def _equal_lines(self) -> tuple[int, int]:
        """The first and last of the lines around the present one that are wrapped at its width. The last is shorter."""
        lines, own = self._lines, self._own
        width = self._width()
        first = last = own
        while first and self._length(first - 1) == width and lines[first - 1].gap == lines[own - 1].gap:
            first -= 1
        while last + 1 < len(lines) and self._length(last) == width and self._length(last + 1) <= width:
            if lines[last].gap != lines[first].gap:
                break
            last += 1
        return first, last

    def _width(self) -> int:
        """At what width the lines around the present one are wrapped, if they are."""
        own = self._length(self._own)
        before = self._length(self._own - 1) if self._own else 0
        behind = self._length(self._own + 1) if self._own + 1 < len(self._lines) else 0
        if before < own or (before not in _USUAL_WIDTHS and (own in _USUAL_WIDTHS or own == behind)):
            return own
        return before

    def _is_wrapped(self, block: tuple[int, int]) -> bool:
        """Whether lines are one text for certain, not one and a word below it."""
        lines = [line for line in self._lines if block[0] <= line.begin < block[1]]
        if len(lines) > 2:
            return True
        tail = raw_of(self._text[lines[-1].begin : lines[-1].end])
        if len(tail) >= 16 or tail.endswith(b"="):
            return True
        if _is_one_token(self._text[lines[0].begin : lines[0].end]):
            return _is_one_token(self._text[slice(*block)])
        return len(raw_of(self._text[lines[0].begin : lines[0].end])) in _USUAL_WIDTHS


def _shown(sample: bytes) -> str:
    start = START.search(sample)
    token = token_at(sample, start, _SAMPLE) if start else None
    return token.token.text if token else ""


def _is_promising(sample: bytes, levels: int) -> bool:
    if START.search(sample):
        return True
    return levels > 1 and any(needle.levels == 1 and needle.text in sample for needle in NEEDLES)


def _is_one_token(written: bytes) -> bool:
    content = decoded(written)
    start = START.match(content) if content else None
    token = token_at(content, start, _SAMPLE) if content and start else None
    return content is not None and token is not None and not (token.token.problem or content[token.end :].strip())
