# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Base64 of texts that hold ciphertexts, on one line or on several. **Private** to the collection.

Ciphertexts in it are replaced in the decoded text, which is encoded again with the same alphabet, padding and width.
What does not give the same base64 when nothing changes in it is not touched.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import BREAK
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import (
    Replacements,
    with_digests,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import CONTROLS, Direct, Token
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import (
    PAD,
    SIGN_ESCAPE,
    Spelling,
    character,
)

_BREAK = re.compile(BREAK)
_TAIL = re.compile(PAD + rb"{0,2}\Z")
_PAD = re.compile(PAD)
_SIGN = re.compile(SIGN_ESCAPE)
FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")


class Contained:
    """Base64 of a text with ciphertexts."""

    __slots__ = ("_inner", "_text", "_written", "end", "start", "tokens")

    def __init__(self, span: tuple[int, int], written: bytes, text: bytes, inner: Sequence[Occurrence]) -> None:
        """
        Args:
            written: as it stands there.
            text: the decoded text.
            inner: the ciphertexts in it.
        """
        self.start, self.end = span
        self._written = written
        self._text = text
        self._inner = inner
        self.tokens: tuple[Token, ...] = tuple(
            token._replace(form=_outer(token.form)) for one in inner for token in one.tokens
        )

    def name(self, name: str) -> None:
        """Give the tokens that have no name inside a name."""
        self.tokens = tuple(token if token.name else token._replace(name=name) for token in self.tokens)

    def written(self, replacements: Replacements) -> tuple[bytes, list[str]]:
        """What takes its place, and the forms of what was replaced in it."""
        parts: list[bytes] = []
        forms: list[str] = []
        end = 0
        for one in self._inner:
            new, replaced = one.written(replacements)
            parts += [self._text[end : one.start], new]
            forms += [_outer(form) for form in replaced]
            end = one.end
        if not forms:
            return self._written, []
        chosen = replacements.only(token.text for token in self.tokens if not token.problem)
        text = with_digests(b"".join([*parts, self._text[end:]]), chosen)
        return encoded_like(self._written, text), forms


Occurrence = Union[Direct, Contained]


def unbroken(written: bytes) -> bytes:
    """Base64 without line ends."""
    if any(sign in written for sign in (b"\\", b"\r", b" ", b"\t")):
        return _BREAK.sub(b"", written)
    # Nothing but line feeds ends lines then. It is read several times for each needle.
    return written.replace(b"\n", b"")


def raw_of(written: bytes) -> bytes:
    """Base64 without line ends and escapes, in its own alphabet."""
    written = unbroken(written)
    if len(written.translate(None, b"\\%&")) == len(written):
        return written
    tail = _TAIL.search(written)
    pads = b"=" * len(_PAD.findall(tail.group())) if tail else b""
    body = written[: tail.start()] if tail else written
    return _SIGN.sub(lambda found: character(found.group()).encode("ascii"), body) + pads


def decoded(written: bytes) -> bytes | None:
    """The text of a run of base64; ``None`` where it is not base64, or would not give the same base64 again."""
    raw = raw_of(written)
    standard = raw.translate(FROM_URL)
    body = standard.rstrip(b"=")
    if len(body) % 4 == 1 or (b"=" in standard and len(standard) % 4):
        return None
    try:
        text = base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    mixed = any(sign in raw for sign in (b"+", b"/")) and any(sign in raw for sign in (b"-", b"_"))
    if mixed or base64.b64encode(text).rstrip(b"=") != body:
        return None
    return text


def encoded_like(old: bytes, text: bytes) -> bytes:
    """A text in base64 that is written as the old one.

    Raises:
        ValueError: nothing shows which alphabet it is, and that makes a difference now.
    """
    raw = raw_of(old)
    new = base64.b64encode(text)
    is_bare = b"=" not in raw and len(raw) % 4 != 0
    if b"-" in raw or b"_" in raw:
        new = new.translate(_TO_URL)
    elif is_bare and b"+" not in raw and b"/" not in raw and (b"+" in new or b"/" in new):
        raise ValueError("the alphabet of its base64 is not known")
    if is_bare:
        new = new.rstrip(b"=")
    breaks = [found.group() for found in _BREAK.finditer(old)]
    first = _BREAK.search(old)
    width = len(raw_of(old[: first.start()])) if first else len(new)
    spelling = Spelling(unbroken(old))
    lines = [spelling.write(new[place : place + width].decode("ascii")) for place in range(0, len(new), width)]
    parts = [lines[0]]
    for place, line in enumerate(lines[1:]):
        parts += [breaks[min(place, len(breaks) - 1)], line]
    return b"".join(parts)


def opened(written: bytes) -> bytes | None:
    """The decoded text; ``None`` if it is something else than text."""
    text = decoded(written)
    if text is None or len(text.translate(None, CONTROLS + b"\0")) < len(text):
        return None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text


def _outer(form: str) -> str:
    return "base64" if form == "plain" else f"base64+{form}"
