# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertexts put in the places of others, in the forms that they have there. **Private** to the collection.

All other bytes stay. The caller puts the target in the place of the source when this has returned, and not otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Dict, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import Contained, Occurrence
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import Bookmark, is_ciphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import occurrences
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Piece, Reader, Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import BINARY_REASON, has_nul
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import (
    SPLIT_START,
    START,
    stands_alone,
    token_at,
)

_CHUNK = 1 << 20
# So much around a new ciphertext is looked at to see whether it is read as what it is.
_BEFORE, _BEHIND = 256, 64
_PLAIN = ["plain"]


class RewriteError(ValueError):
    """A file cannot be rewritten. The target holds nothing of use. The text names no ciphertext."""


@dataclass(frozen=True)
class Rewritten:
    """What was done.

    Attributes:
        replaced: how many ciphertexts were replaced, by their forms.
        left: how many were not.
        problems: how many of those have a replacement and cannot be replaced.
        end: where the end that was given is in the target.
    """

    replaced: Mapping[str, int]
    left: int = 0
    problems: int = 0
    end: Bookmark | None = None

    @property
    def total(self) -> int:
        return sum(self.replaced.values())

    def as_result(self) -> dict[str, Any]:
        return {"replaced": dict(self.replaced), "total": self.total, "left": self.left, "problems": self.problems}


class Replacements(Dict[str, str]):
    """New ciphertexts, by the old. They are checked once, for all files that are rewritten with them.

    Raises:
        RewriteError: one is not a ciphertext.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        wrong = sum(1 for new in given.values() if not is_ciphertext(new))
        if wrong:
            raise RewriteError(f"{wrong} of {len(given)} replacements do not parse as ciphertexts")
        super().__init__(given)


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    replacements: Mapping[str, str],
    *,
    expected: int | None = None,
    begin: Bookmark | None = None,
    end: Bookmark | None = None,
    sizes: Sizes | None = None,
) -> Rewritten:
    """Write a copy of a stream with other ciphertexts in place of some.

    Args:
        replacements: the new ciphertexts, by the old.
        begin: nothing before it is replaced. The source must allow to go to any place then.
        end: nothing behind it is replaced.
        expected: how many must be replaced; ``None`` for any number.

    Raises:
        RewriteError: a replacement is not a ciphertext or would not be read as it is written, the source is binary, or
            another number of ciphertexts was replaced than expected.
    """
    known = replacements if isinstance(replacements, Replacements) else Replacements(replacements)
    if has_nul(source):
        raise RewriteError(BINARY_REASON)
    if begin is not None:
        source.seek(0)
        _copy(source, target, begin.offset)
        source.seek(0)
    reader = Reader(source, begin, sizes)
    tally = _Tally()
    moved = None
    for piece in reader.pieces():
        target.write(tally.written(piece, known))
        if end is not None and reader.offset >= end.offset:
            moved = replace(end, offset=target.tell())
            source.seek(reader.offset)
            _copy(source, target, None)
            break
    total = sum(tally.replaced.values())
    if total and reader.has_nul:
        raise RewriteError(BINARY_REASON)
    if expected is not None and total != expected:
        raise RewriteError(f"{total} ciphertexts were replaced, not {expected}: the file has changed since it was read")
    return Rewritten(dict(tally.replaced), tally.tokens - total, tally.problems, moved)


class _Tally:
    """What was done with pieces."""

    def __init__(self) -> None:
        self.replaced: Counter[str] = Counter()
        self.tokens = 0
        self.problems = 0

    def written(self, piece: Piece, replacements: Mapping[str, str]) -> bytes | memoryview:
        """What takes the place of a piece."""
        found = piece.found
        if found is None:
            return memoryview(piece.text)[piece.begin : piece.end]
        new, forms = _replaced(piece, found, replacements)
        for form in forms:
            self.replaced[form] += 1
        for token in found.tokens:
            self.tokens += 1
            if token.problem and token.text in replacements:
                self.problems += 1
        return new


def _copy(source: BinaryIO, target: BinaryIO, count: int | None) -> None:
    """Copy so many bytes, or all that is left."""
    while count is None or count:
        chunk = source.read(_CHUNK if count is None else min(_CHUNK, count))
        if not chunk:
            return
        target.write(chunk)
        count = None if count is None else count - len(chunk)


def _replaced(piece: Piece, found: Occurrence, replacements: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """What takes the place of an occurrence, and the forms of what was replaced.

    Raises:
        RewriteError: it would not be read as what it is.
    """
    problem = ""
    new = b""
    forms: list[str] = []
    try:
        new, forms = found.written(replacements)
    except ValueError:
        problem = "the alphabet of its base64 cannot be determined"
    if problem:
        raise RewriteError(f"line {piece.line}: {problem}")
    if not forms:
        return new, forms
    if forms == _PLAIN and stands_alone(new, piece.text[piece.end : piece.end + _BEHIND]):
        return new, forms
    wanted = [token.text if token.problem else replacements.get(token.text, token.text) for token in found.tokens]
    begin = min(piece.begin, _BEFORE)
    end = begin + len(new)
    text = piece.text[piece.begin - begin : piece.begin] + new + piece.text[piece.end : piece.end + _BEHIND]
    again = _read_again(text, begin, found)
    if again is None or again.end != end or [token.text for token in again.tokens] != wanted:
        raise RewriteError(f"line {piece.line}: what follows a ciphertext would become part of the new one")
    return new, forms


def _read_again(text: bytes, begin: int, found: Occurrence) -> Occurrence | None:
    if isinstance(found, Contained):
        return next(occurrences(text, begin, len(text), begin, len(text) + 1), None)
    start = START.match(text, begin) or SPLIT_START.match(text, begin)
    return token_at(text, start, len(text) + 1) if start else None
