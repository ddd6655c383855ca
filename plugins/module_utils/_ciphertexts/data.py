# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a ciphertext is, and what a search reports. **Private** to the collection.

Everything here becomes part of a module's result by its ``as_result``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple

# Transit's encoding is padded base64. Whatever is shorter does not even hold a nonce.
_CIPHERTEXT = re.compile(r"(vault:v[1-9][0-9]{0,17}:)[A-Za-z0-9+/]*={0,2}")
_VERSION = re.compile(r"vault:v([1-9][0-9]{0,17})(?![0-9])")
SHORTEST = 20

# Why a file was not read, or not to its end.
MISSING = "missing"
DANGLING = "dangling"
DENIED = "denied"
SPECIAL = "special"
BINARY = "binary"
ENCODING = "encoding"
COMPRESSED = "compressed"
OUTPUT = "output"
FAILED = "failed"
# The user sets the size of the largest file.
LARGE = "large"

# These block only where the user asks for it.
STRICT_ONLY = frozenset({COMPRESSED, OUTPUT})
# Nothing is there that could hold a ciphertext: what goes through a socket, a pipe or a device is not stored in it, and
# a link to nothing leads to nothing. Its target may come back, with a file system that is mounted again.
EMPTY = frozenset({SPECIAL, DANGLING})
# These are listed by themselves.
NOT_SEARCHED = STRICT_ONLY | EMPTY


def is_ciphertext(text: str) -> bool:
    """Whether it is one whole ciphertext of Transit and nothing else."""
    found = _CIPHERTEXT.fullmatch(text)
    return found is not None and len(text) >= SHORTEST and (len(text) - found.end(1)) % 4 == 0


def version_of(ciphertext: str) -> int:
    """The key version of a ciphertext, 0 where the text holds none."""
    found = _VERSION.match(ciphertext)
    return int(found.group(1)) if found else 0


def digest(ciphertext: str) -> str:
    """A short name for a ciphertext, which recognises it after it is gone."""
    return "sha256:" + hashlib.sha256(ciphertext.encode("utf-8")).hexdigest()[:32]


def content_digest(content: bytes) -> str:
    """What a file's content is recognised by."""
    return hashlib.sha256(content).hexdigest()


class FoundCiphertext(NamedTuple):
    """One ciphertext in a file.

    Attributes:
        text: as Transit knows it, whatever form it has in the file. Part of one where ``problem`` says so.
        line: the line on which it begins, counted from 1.
        name: what the file calls it, empty where it has no name.
        form: how it is written, outermost form first: ``plain``, ``json``, ``base64+percent`` …
        problem: why it cannot be replaced, empty where it can.
    """

    text: str
    line: int
    name: str = ""
    form: str = "plain"
    problem: str = ""

    @property
    def version(self) -> int:
        return version_of(self.text)

    def as_result(self) -> dict[str, Any]:
        result = {"text": self.text, "line": self.line, "name": self.name, "form": self.form}
        return {**result, "problem": self.problem} if self.problem else result


@dataclass(frozen=True)
class Unread:
    """A place that was not searched, or whose ciphertexts cannot be replaced.

    Attributes:
        kind: one of the constants above.
        reason: the same for people.
    """

    path: str
    reason: str
    kind: str

    def blocks(self, *, strict: bool = False) -> bool:
        """Whether a search with this in it is incomplete."""
        return self.kind not in EMPTY and (strict or self.kind not in STRICT_ONLY)

    def as_result(self) -> dict[str, str]:
        return {"path": self.path, "reason": self.reason, "kind": self.kind}


@dataclass(frozen=True)
class Bookmark:
    """How far the search of a file is, to go on there.

    Attributes:
        offset: of the first byte that is not searched yet.
        line: its line.
        block: what is known of the block of fingerprints that is open there, empty outside of one.
        found: how many ciphertexts precede it.
    """

    offset: int
    line: int
    block: tuple[int, ...] = ()
    found: int = 0

    def as_result(self) -> dict[str, Any]:
        return {"offset": self.offset, "line": self.line, "block": list(self.block), "found": self.found}

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Bookmark:
        block = tuple(int(number) for number in result["block"])
        return cls(int(result["offset"]), int(result["line"]), block, int(result["found"]))


@dataclass(frozen=True)
class FileResult:
    """What the search of one file found.

    Attributes:
        unread: why the file was not searched, or why its ciphertexts cannot be replaced.
        bookmark: where to go on; ``None`` when the file was read to its end.
        digest: of the content, where that is known as a whole.
        offsets: of the ciphertexts that another one can take the place of as it is; -1 for the others.
    """

    path: str
    found: tuple[FoundCiphertext, ...] = ()
    unread: Unread | None = None
    bookmark: Bookmark | None = None
    digest: str = field(default="", compare=False)
    offsets: tuple[int, ...] = field(default=(), compare=False)

    @property
    def problems(self) -> tuple[FoundCiphertext, ...]:
        """The ciphertexts that cannot be replaced."""
        return tuple(found for found in self.found if found.problem)

    def as_result(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "found": [found.as_result() for found in self.found],
            "unread": self.unread.as_result() if self.unread else None,
            "bookmark": self.bookmark.as_result() if self.bookmark else None,
        }
