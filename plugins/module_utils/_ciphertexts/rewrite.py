# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertexts put in the places of others, in the forms that they have there. **Private** to the collection.

All other bytes stay, but for the digests of replaced ciphertexts behind their fingerprints. The caller puts the target
in the place of the source when this has returned, and not otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import Contained, Occurrence
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    Bookmark,
    content_digest,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import occurrences
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import (
    REACH,
    WINDOW,
    Piece,
    Reader,
    Sizes,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import (
    Digests,
    Replacements,
    RewriteError,
    digests_of,
    holds_digests,
    with_digests,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import BINARY_REASON, has_nul
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import (
    SPLIT_START,
    START,
    plain_end,
    stands_alone,
    token_at,
)

_CHUNK = 1 << 20
# So much around a new ciphertext is looked at to see whether it is read as what it is.
_BEFORE, _BEHIND = 256, 64
_BEHIND_PLAIN = 256
_PLAIN = ["plain"]


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
        source: it must allow to go to any place.
        replacements: the new ciphertexts, by the old.
        begin: nothing before it is replaced.
        end: nothing behind it is replaced.
        expected: how many must be replaced; ``None`` for any number.

    Raises:
        RewriteError: a replacement is not a ciphertext or would not be read as it is written, the source is binary, or
            another number of ciphertexts was replaced than expected.
    """
    if has_nul(source):
        raise RewriteError(BINARY_REASON)
    known = replacements if isinstance(replacements, Replacements) else Replacements(replacements)
    held = _held(source, known, begin, end, sizes)
    # Those of ciphertexts in this part may be in another one.
    digests = Digests(target, known.only(held.replaced))
    _copy(source, digests, begin.offset if begin else 0)
    source.seek(0)
    reader = Reader(source, begin, sizes)
    tally = _Tally()
    ended_at = None
    for piece in reader.pieces():
        digests.write(tally.written(piece, known))
        if end is not None and reader.offset >= end.offset:
            ended_at = digests.place
            source.seek(reader.offset)
            _copy(source, digests, None)
            break
    digests.close()
    held.check(digests)
    moved = None if end is None or ended_at is None else replace(end, offset=digests.placed(ended_at))
    total = sum(tally.replaced.values())
    if total and reader.has_nul:
        raise RewriteError(BINARY_REASON)
    if expected is not None and total != expected:
        raise RewriteError(f"{total} ciphertexts were replaced, not {expected}: the file has changed since it was read")
    return Rewritten(dict(tally.replaced), tally.tokens - total, tally.problems, moved)


@dataclass
class _Held:
    """Ciphertexts of a file that holds digests of some.

    Attributes:
        replaced: those that are replaced somewhere.
        left: those that have a replacement and are not replaced somewhere.
    """

    replaced: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)

    def check(self, digests: Digests) -> None:
        """
        Raises:
            RewriteError: a digest was replaced, and its ciphertext is left somewhere.
        """
        if not digests.replaced.isdisjoint(digests_of(self.left)):
            raise RewriteError("a ciphertext whose digest the file holds cannot be replaced everywhere in it")


def _held(
    source: BinaryIO, replacements: Replacements, begin: Bookmark | None, end: Bookmark | None, sizes: Sizes | None
) -> _Held:
    """What will become of a file's ciphertexts. A digest may precede its ciphertext, so they are looked for first."""
    held = _Held()
    source.seek(0)
    if holds_digests(source, replacements):
        source.seek(0)
        reader = Reader(source, sizes=sizes)
        for piece in reader.pieces(gaps=False):
            is_behind = end is not None and reader.offset > end.offset
            is_chosen = not is_behind and (begin is None or reader.offset > begin.offset)
            for token in piece.found.tokens if piece.found else ():
                if token.text in replacements:
                    (held.left if token.problem or not is_chosen else held.replaced).add(token.text)
    source.seek(0)
    return held


class _Tally:
    """What was done with pieces."""

    def __init__(self) -> None:
        self.replaced: Counter[str] = Counter()
        self.tokens = 0
        self.problems = 0

    def written(self, piece: Piece, replacements: Replacements) -> bytes | memoryview:
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


def _copy(source: BinaryIO, target: Digests, count: int | None) -> None:
    """Copy this many bytes, or all that is left."""
    while count is None or count:
        chunk = source.read(_CHUNK if count is None else min(_CHUNK, count))
        if not chunk:
            return
        target.write(chunk)
        count = None if count is None else count - len(chunk)


def _replaced(piece: Piece, found: Occurrence, replacements: Replacements) -> tuple[bytes, list[str]]:
    """What takes the place of an occurrence, and the forms of what was replaced.

    Raises:
        RewriteError: it would not be read as what it is.
    """
    try:
        new, forms = found.written(replacements)
    except RewriteError:
        raise
    except ValueError:
        raise RewriteError(f"line {piece.line}: the alphabet of its base64 cannot be determined") from None
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


@dataclass(frozen=True)
class Spots:
    """Where the ciphertexts of a file are.

    Attributes:
        digest: of the file's content.
        offsets: of each ciphertext, in order.
    """

    digest: str
    offsets: Sequence[int]

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Spots:
        return cls(str(result["digest"]), [int(offset) for offset in result["offsets"]])


def splice(source: BinaryIO, target: BinaryIO, replacements: Replacements, spots: Spots) -> Rewritten | None:
    """Write a copy of a stream with other ciphertexts where a search found them, without another search.

    The digest proves that a file is what was searched. Only ciphertexts that are written without escapes are replaced
    this way: the new one then stands there as it is, and nothing but its end depends on what is around it.

    Returns:
        ``None``, and nothing is written, where that needs another look: the stream is not what was searched, or
        something may continue a new ciphertext.

    Raises:
        RewriteError: the fingerprint of a replaced value cannot be put in place.
    """
    content = source.read(WINDOW + 1)
    if content_digest(content) != spots.digest or source.read(1):
        return None
    parts: list[bytes] = []
    chosen: set[str] = set()
    done = 0
    for begin in spots.offsets:
        end = plain_end(content, begin, REACH)
        old = content[begin:end].decode("ascii")
        new = replacements.get(old, "").encode("ascii")
        chosen.add(old)
        if not new or begin < done or not stands_alone(new, content[end : end + _BEHIND_PLAIN]):
            return None
        parts += (content[done:begin], new)
        done = end
    parts.append(content[done:])
    target.write(with_digests(b"".join(parts), replacements.only(chosen)))
    return Rewritten({"plain": len(spots.offsets)})
