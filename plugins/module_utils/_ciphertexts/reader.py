# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""A stream of any length as its ciphertexts and what stands between them. **Private** to the collection.

A part of the stream is in memory at a time: what is searched just now, and as much before and behind as one ciphertext
may reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Iterator, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import Occurrence
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import Bookmark
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import Fingerprints, occurrences

WINDOW = 1 << 20
#: No ciphertext with all that is encoded together with it is longer.
REACH = 1 << 20
# For names, and for needles that two windows share.
_CONTEXT = 8192
# What gzip begins with, in base64 as cloud-init has it, and in base64 of base64 as Helm has it.
_PACKED = re.compile(rb"(?<![A-Za-z0-9+/])(?:H4sI|SDRzS)[A-Za-z0-9+/\\\r\n ]{24}")
_PACKED_WORDS = (b"H4sI", b"SDRzS")
_OVERLAP = 64


@dataclass(frozen=True)
class Sizes:
    """How much is searched at a time, and how far an occurrence may reach."""

    window: int = WINDOW
    reach: int = REACH
    context: int = _CONTEXT


class Piece(NamedTuple):
    """A part of a stream, in order and without gaps.

    Attributes:
        text: what is in memory, from ``begin`` to ``end`` of which the part is.
        found: the ciphertexts that the part is, ``None`` between them.
        line: on which the part begins.
    """

    text: bytes
    begin: int
    end: int
    line: int
    found: Occurrence | None = None


class Reader:
    """What a stream holds.

    Attributes:
        head: its first bytes.
        has_nul: whether there was a NUL in what is read so far.
        has_packed: the same for base64 of something compressed.
        offset: the first byte that is in no `Piece` yet.
        line: its line.
    """

    def __init__(self, stream: BinaryIO, bookmark: Bookmark | None = None, sizes: Sizes | None = None) -> None:
        self._stream = stream
        self._sizes = sizes or Sizes()
        start = bookmark or Bookmark(0, 1)
        self.offset = start.offset
        self.line = start.line
        self.has_nul = self.has_packed = False
        self.head = b""
        self._base = max(0, start.offset - self._sizes.context)
        if self._base:
            stream.seek(self._base)
        self._text = b""
        self._fingerprints = Fingerprints(start.block)

    @property
    def bookmark(self) -> Bookmark:
        """Where another reader can go on."""
        return Bookmark(self.offset, self.line, self._fingerprints.state)

    def pieces(self) -> Iterator[Piece]:
        """The parts of the stream."""
        margin = self._sizes.reach + self._sizes.context
        searched = self.offset - self._base
        floor = searched
        at_end = False
        while not at_end:
            at_end = not self._read()
            end = len(self._text) if at_end else max(searched, len(self._text) - margin)
            if end > searched:
                for found in occurrences(self._text, searched, end, floor, self._sizes.reach):
                    yield from self._until(found.start)
                    yield from self._occurrence(found)
                    floor = found.end
                searched = max(end, floor)
            # What is found next may begin as far before its needle.
            yield from self._until(len(self._text) if at_end else searched - self._sizes.reach)
            dropped = max(0, self.offset - self._base - self._sizes.context)
            self._drop(dropped)
            searched, floor = searched - dropped, max(0, floor - dropped)

    def _read(self) -> bool:
        chunk = self._stream.read(self._sizes.window)
        if not self._base and not self._text:
            self.head = chunk[:16]
        self.has_nul = self.has_nul or b"\0" in chunk
        self._text += chunk
        zone = self._text[-len(chunk) - _OVERLAP :] if chunk and not self.has_packed else b""
        if any(word in zone for word in _PACKED_WORDS):
            self.has_packed = _PACKED.search(zone) is not None
        return bool(chunk)

    def _until(self, end: int) -> Iterator[Piece]:
        begin = self.offset - self._base
        if begin < end:
            self._fingerprints.read(self._text, begin, end)
            yield self._passed(end, None)

    def _occurrence(self, found: Occurrence) -> Iterator[Piece]:
        covered = self._fingerprints.covers(found)
        self._fingerprints.read(self._text, found.start, found.end)
        yield self._passed(found.end, None if covered else found)

    def _passed(self, end: int, found: Occurrence | None) -> Piece:
        begin = self.offset - self._base
        piece = Piece(self._text, begin, end, self.line, found)
        self.line += self._text.count(b"\n", begin, end)
        self.offset = self._base + end
        return piece

    def _drop(self, count: int) -> None:
        if count:
            self._text = self._text[count:]
            self._base += count
