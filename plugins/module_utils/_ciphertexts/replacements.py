# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""New ciphertexts in the places of others, and the digests that belong to them. **Private** to the collection.

An encrypted vars file keeps a digest of each ciphertext behind its fingerprint: ``vault:v3:Qm1... sha256:5fec...``.
Without the right digest, nobody knows whether a value is a number or a text. So a copy of such a file, whatever else is
in it and however it is escaped, gets the digests of its new ciphertexts together with these.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import BinaryIO, Dict, Iterable, Iterator, Mapping, Match, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest, is_ciphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import (
    COLON,
    PAD,
    PAYLOAD_CHARACTER,
    Spelling,
)

_WORD = b"sha256"
# A digest is for a ciphertext and for the kind of its value.
_KINDS = ("", " json")
_BLANK = rb"(?:[ \t\r\n+]|\\{1,8}[nrt]|%(?:25){0,3}20|&(?:amp;){0,2}#(?:0{0,5}32|[xX]0{0,5}20);)"
_GAP = b"%b{1,100}" % _BLANK
_DIGEST = re.compile(b"%b%b([0-9a-f]{32})(?![0-9a-f])(?:(?P<gap>%b)json(?![A-Za-z0-9_]))?" % (_WORD, COLON, _GAP))
# An HMAC ends with padding. Behind a name, as in the block `before`, there is none.
_FINGERPRINT_END = re.compile(b"%b(?P<gap>%b)\\Z" % (PAD, _GAP))
_FINGERPRINT = re.compile(b"vault%bv[1-9][0-9]{0,17}%b%b{43}%b\\Z" % (COLON, COLON, PAYLOAD_CHARACTER, PAD))
_LONGEST_GAP = 900
_LONGEST_FINGERPRINT = 1000
# More than a fingerprint with its digest and all that is between, and than what may follow a digest.
_TAIL = 4096
_BEHIND = 1024
_AT_ONCE = 1 << 20


class RewriteError(ValueError):
    """A file cannot be rewritten. The target holds nothing of use. The text names no ciphertext."""


class Replacements(Dict[str, str]):
    """New ciphertexts, by the old. They are checked once, for all files that are rewritten with them.

    Raises:
        RewriteError: one is not a ciphertext.
    """

    def __init__(self, given: Mapping[str, str], fingerprints: Mapping[str, str] = MappingProxyType({})) -> None:
        """
        Args:
            fingerprints: for new ciphertexts that may hold another value than the old, what encrypted vars files store
                as their fingerprints; empty where that is not known.
        """
        wrong = sum(1 for new in given.values() if not is_ciphertext(new))
        if wrong:
            raise RewriteError(f"{wrong} of {len(given)} replacements do not parse as ciphertexts")
        super().__init__(given)
        self._fingerprints = fingerprints
        self._digests: dict[str, tuple[str, str]] = {}

    def only(self, old: Iterable[str]) -> Replacements:
        """Those of some ciphertexts. The same one may become another elsewhere."""
        found = Replacements({})
        found.update((text, self[text]) for text in old if text in self)
        found._fingerprints = self._fingerprints
        return found

    def of_digest(self, old: str) -> tuple[str, str | None] | None:
        """What takes the place of a digest.

        Returns:
            The new digest, and what is stored as the fingerprint if the value may be another one. ``None`` for a digest
            of something else.
        """
        if not self._digests:
            for text, new in self.items():
                for kind in _KINDS:
                    self._digests[_hex(text, kind)] = (_hex(new, kind), new)
        found = self._digests.get(old)
        return None if found is None else (found[0], self._fingerprints.get(found[1]))


def _hex(ciphertext: str, kind: str) -> str:
    return digest(ciphertext + kind).partition(":")[2]


def digests_of(ciphertexts: Iterable[str]) -> set[str]:
    """The digests that a file may hold of ciphertexts."""
    return {_hex(text, kind) for text in ciphertexts for kind in _KINDS}


def holds_digests(stream: BinaryIO, replacements: Replacements) -> bool:
    """Whether there is the digest of a ciphertext that may be replaced."""
    tail = b""
    while True:
        chunk = stream.read(_AT_ONCE)
        text = tail + chunk
        if _WORD in text and any(
            replacements.of_digest(one.group(1).decode("ascii")) for one in _DIGEST.finditer(text)
        ):
            return True
        if not chunk:
            return False
        tail = text[-_TAIL:]


class _Edit(NamedTuple):
    begin: int
    end: int
    new: bytes


def with_digests(text: bytes, replacements: Replacements) -> bytes:
    """A text whose ciphertexts were replaced, with the digests of the new ones.

    Raises:
        RewriteError: as for `Digests`.
    """
    if _WORD not in text:
        return text
    return _edited(text, list(_edits(text, len(text), replacements, set())), len(text))


class Digests:
    """Passes a text, whose ciphertexts were replaced, on to a stream, with the digests of the new ones.

    Attributes:
        replaced: the old digests.
    """

    def __init__(self, target: BinaryIO, replacements: Replacements) -> None:
        self.replaced: set[str] = set()
        self._target = target
        self._replacements = replacements
        self._parts: list[bytes | memoryview] = []
        self._held = 0
        self._done = 0
        # By how much the text that precedes a place has become longer.
        self._shifts: list[tuple[int, int]] = []

    def write(self, text: bytes | memoryview) -> None:
        """
        Raises:
            RewriteError: a value is replaced by another one, whose fingerprint is not known or cannot be put in place.
        """
        self._parts.append(text)
        self._held += len(text)
        if self._held > _AT_ONCE + _TAIL:
            self._pass_on(at_end=False)

    def close(self) -> None:
        """Write what is left. The target stays open.

        Raises:
            RewriteError: as before.
        """
        self._pass_on(at_end=True)

    @property
    def place(self) -> int:
        """How much was written so far, as it came."""
        return self._done + self._held

    def placed(self, place: int) -> int:
        """Where in the target such a place is. Call it when all is written."""
        return place + sum(by for end, by in self._shifts if end <= place)

    def _pass_on(self, *, at_end: bool) -> None:
        text = b"".join(self._parts)
        until = len(text) if at_end else len(text) - _BEHIND
        edits = list(_edits(text, until, self._replacements, self.replaced)) if _WORD in text else []
        cut = len(text) if at_end else max([len(text) - _TAIL, *(edit.end for edit in edits[-1:])])
        self._target.write(_edited(text, edits, cut))
        self._shifts += [
            (self._done + edit.end, by) for edit in edits if (by := len(edit.new) - (edit.end - edit.begin))
        ]
        self._parts, self._held, self._done = [text[cut:]], len(text) - cut, self._done + cut


def _edited(text: bytes, edits: list[_Edit], end: int) -> bytes:
    parts: list[bytes] = []
    done = 0
    for edit in edits:
        parts += (text[done : edit.begin], edit.new)
        done = edit.end
    return b"".join([*parts, text[done:end]])


def _edits(text: bytes, end: int, replacements: Replacements, replaced: set[str]) -> Iterator[_Edit]:
    """What changes in a text.

    Args:
        end: of what is looked at.
        replaced: to which old digests are added.
    """
    for found in _DIGEST.finditer(text, 0, len(text)):
        if found.end() > end:
            return
        old = found.group(1).decode("ascii")
        new = replacements.of_digest(old)
        gap = _gap_before(text, found.start()) if new else -1
        if new is None or gap < 0:
            continue
        replaced.add(old)
        if new[1] is None:
            yield _Edit(found.start(1), found.end(1), new[0].encode("ascii"))
        else:
            yield _with_fingerprint(text, gap, found, new[1])


def _gap_before(text: bytes, begin: int) -> int:
    """Where the gap between a fingerprint and what begins at a place begins; -1 if there is none."""
    if text[max(0, begin - 2) : begin] == b"= ":
        return begin - 1
    found = _FINGERPRINT_END.search(text, max(0, begin - _LONGEST_GAP), begin)
    return found.start("gap") if found else -1


def _with_fingerprint(text: bytes, gap: int, found: Match[bytes], stored: str) -> _Edit:
    """The fingerprint of another value, with its digest and its kind.

    Args:
        gap: where that between the old fingerprint and its digest begins.
        found: the old digest.

    Raises:
        RewriteError: it is not known, or cannot be put in place.
    """
    if not stored:
        raise RewriteError(
            "it is an encrypted vars file, and the fingerprint of a new value is not known: name the file that holds "
            "the value in vars_files"
        )
    written = _FINGERPRINT.search(text, max(0, gap - _LONGEST_FINGERPRINT), gap)
    if written is None:
        raise RewriteError("the fingerprint of a value that is replaced is written in a way that is not supported")
    new, *rest = stored.split()
    between = text[gap : found.start()]
    parts = [Spelling(written.group()).write(new)]
    if rest:
        colon = text[found.start() + len(_WORD) : found.start(1)]
        parts += [between, _WORD, colon, rest[0].partition(":")[2].encode("ascii")]
    if rest[1:]:
        parts += [found.group("gap") or between, rest[1].encode("ascii")]
    return _Edit(written.start(), found.end(), b"".join(parts))
