# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Find and replace ciphertexts in files of any text format. **Private** to the collection.

Files are bytes here: everything but the replaced ciphertexts stays as it is, whatever the format and encoding.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Iterator, Mapping

# Some writers of JSON put a backslash before each slash, which means the same there.
_CIPHERTEXT = re.compile(rb"(?<![A-Za-z0-9_])vault:v[1-9][0-9]{0,17}:(?:[A-Za-z0-9+/]+|\\/)+={0,2}")

# The name before a value: `NAME=`, `NAME:`, `"NAME":`, `NAME = "`, `export NAME='`, `NAME: >-`.
_NAME = re.compile(rb"([A-Za-z_][A-Za-z0-9_.-]*)[\"']?[ \t]*[:=]+[ \t]*(?:[|>][+-]?[ \t]*)?[\"']?$")

_SHORTEST = 20


@dataclass(frozen=True)
class Found:
    """One ciphertext in a file.

    Attributes:
        line: counted from 1.
        name: the name before it on its line, empty if there is none.
    """

    text: str
    line: int
    name: str = ""

    @property
    def version(self) -> int:
        return version_of(self.text)


def version_of(ciphertext: str) -> int:
    """The key version of a ciphertext that was found."""
    return int(ciphertext.split(":", 2)[1][1:])


def digest(ciphertext: str) -> str:
    """A short name for a ciphertext, to recognize copies of it after it was replaced."""
    return "sha256:" + hashlib.sha256(ciphertext.encode("utf-8")).hexdigest()[:32]


def find(content: bytes) -> Iterator[Found]:
    """The ciphertexts in a file's content, in their order, without the fingerprints of an encrypted vars file."""
    if b"vault:v" not in content:
        return
    line, seen = 1, 0
    for match in _matches(content):
        line += content.count(b"\n", seen, match.start())
        seen = match.start()
        start = content.rfind(b"\n", 0, match.start()) + 1
        named = _NAME.search(content, max(start, match.start() - 200), match.start())
        yield Found(_plain(match.group()), line, named.group(1).decode("ascii") if named else "")


def replace(content: bytes, replacements: Mapping[str, str]) -> tuple[bytes, int]:
    """The content with other ciphertexts in place of some, and how many were replaced."""
    parts = []
    end = replaced = 0
    for match in _matches(content):
        new = replacements.get(_plain(match.group()))
        if new is None:
            continue
        parts += [content[end : match.start()], _as_written(new, match.group())]
        end = match.end()
        replaced += 1
    return b"".join([*parts, content[end:]]), replaced


def _matches(content: bytes) -> Iterator[re.Match[bytes]]:
    begin, end = _metadata(content)
    for match in _CIPHERTEXT.finditer(content):
        # Anything shorter cannot even hold a nonce.
        if len(match.group()) >= _SHORTEST and not begin <= match.start() < end:
            yield match


# The block of an encrypted vars file that holds its fingerprints, which look like ciphertexts.
_BLOCK = re.compile(rb"^_transit:[^\n]*\n?(?:(?:[ \t#][^\n]*)?(?:\n|\Z))*", re.MULTILINE)
_OBJECT = re.compile(rb'"_transit"[ \t\r\n]*:[ \t\r\n]*\{')


def _metadata(content: bytes) -> tuple[int, int]:
    """Where the metadata of an encrypted vars file begins and ends; an empty range in other files."""
    block = _BLOCK.search(content)
    if block:
        return block.start(), block.end()
    opened = _OBJECT.search(content)
    if not opened:
        return 0, 0
    depth, end = 1, opened.end()
    # Neither variable names nor fingerprints contain braces.
    for brace in re.finditer(rb"[{}]", content[end:]):
        depth += 1 if brace.group() == b"{" else -1
        if not depth:
            return opened.start(), end + brace.end()
    return opened.start(), len(content)


def _plain(written: bytes) -> str:
    return written.replace(b"\\/", b"/").decode("ascii")


def _as_written(ciphertext: str, before: bytes) -> bytes:
    text = ciphertext.encode("ascii")
    return text.replace(b"/", b"\\/") if b"\\/" in before else text
