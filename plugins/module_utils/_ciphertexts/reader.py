# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""A stream of any length as its ciphertexts and what stands between them. **Private** to the collection.

A part of the stream is in memory at a time: what is searched just now, and as much before and behind as one ciphertext
may reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Iterator, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import Occurrence
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import Bookmark
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import (
    BLOCK_WORD,
    Fingerprints,
    occurrences,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.packed import HEAD, packed_in

WINDOW = 1 << 20
#: No ciphertext with all that is encoded together with it is longer.
REACH = 1 << 20
# For names, and for needles that two windows share.
_CONTEXT = 8192
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
        first: all that was read of it so far, if that was one part from the beginning.
        has_nul: whether there was a NUL in what is read so far.
        packed: the format of something compressed in base64 there was; empty for none.
        offset: the first byte that is in no `Piece` yet.
        line: its line.
    """

    def __init__(self, stream: BinaryIO, bookmark: Bookmark | None = None, sizes: Sizes | None = None) -> None:
        self._stream = stream
        self._sizes = sizes or Sizes()
        start = bookmark or Bookmark(0, 1)
        self.offset = start.offset
        self.line = start.line
        self.has_nul = False
        self.packed = ""
        self.head = self.first = b""
        self._base = max(0, start.offset - self._sizes.context)
        if self._base:
            stream.seek(self._base)
        self._text = b""
        self._fingerprints = Fingerprints(start.block)

    @property
    def bookmark(self) -> Bookmark:
        """Where another reader can go on."""
        return Bookmark(self.offset, self.line, self._fingerprints.state)

    def pieces(self, *, gaps: bool = True) -> Iterator[Piece]:
        """The parts of the stream.

        Args:
            gaps: ``False`` to leave out what is between ciphertexts.
        """
        margin = self._sizes.reach + self._sizes.context
        searched = self.offset - self._base
        floor = searched
        at_end = False
        while not at_end:
            at_end = not self._read()
            end = len(self._text) if at_end else max(searched, len(self._text) - margin)
            if end > searched:
                for found in occurrences(self._text, searched, end, floor, self._sizes.reach):
                    if self.offset - self._base < found.start:
                        if gaps:
                            yield self._passed(found.start, None)
                        else:
                            self._advance(found.start, None)
                    yield self._passed(found.end, found)
                    floor = found.end
                searched = max(end, floor)
            # What is found next may begin as far before its needle.
            until = len(self._text) if at_end else searched - self._sizes.reach
            if self.offset - self._base < until:
                if gaps:
                    yield self._passed(until, None)
                else:
                    self._advance(until, None)
            dropped = max(0, self.offset - self._base - self._sizes.context)
            self._drop(dropped)
            searched, floor = searched - dropped, max(0, floor - dropped)

    def _read(self) -> bool:
        chunk = self._stream.read(self._sizes.window)
        if not self._base and not self._text:
            self.head, self.first = chunk[:HEAD], chunk
        elif chunk:
            self.first = b""
        self.has_nul = self.has_nul or b"\0" in chunk
        self._text += chunk
        if chunk and not self.packed:
            self.packed = packed_in(self._text[-len(chunk) - _OVERLAP :])
        return bool(chunk)

    def _passed(self, end: int, found: Occurrence | None) -> Piece:
        """The part up to a place, and what it is. The reader then is behind it."""
        begin, line = self.offset - self._base, self.line
        return Piece(self._text, begin, end, line, self._advance(end, found))

    def _advance(self, end: int, found: Occurrence | None) -> Occurrence | None:
        """Go on to a place. Returns what was found before it, ``None`` if that is a fingerprint."""
        begin, text, fingerprints = self.offset - self._base, self._text, self._fingerprints
        if fingerprints.state or text.find(BLOCK_WORD, begin, end + len(BLOCK_WORD)) >= 0:
            found = None if found is None or fingerprints.covers(found) else found
            fingerprints.read(text, begin, end)
        self.line += text.count(b"\n", begin, end)
        self.offset = self._base + end
        return found

    def _drop(self, count: int) -> None:
        if count:
            self._text = self._text[count:]
            self._base += count
