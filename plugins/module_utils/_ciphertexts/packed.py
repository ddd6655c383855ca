# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What is compressed, by the first bytes of it. **Private** to the collection."""

from __future__ import annotations

import base64
import re
import zlib

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x1f\x9d", "compress"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"Rar!\x1a\x07", "rar"),
    (b"LZIP", "lzip"),
    (b"\x5d\x00\x00", "lzma"),
)
_SKIPPABLE_FRAME = b"\x2a\x4d\x18"


def compression(head: bytes) -> str:
    """What the first 16 bytes of a file show that it is compressed with, empty where they do not."""
    if head[1:4] == _SKIPPABLE_FRAME and head[0] & 0xF0 == 0x50:
        return "zstd or lz4"
    for magic, name in _MAGIC:
        # A text may begin with these letters.
        if head.startswith(magic) and (magic != b"BZh" or head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")):
            return name
    return "zlib" if _is_zlib(head) else ""


def _is_zlib(head: bytes) -> bool:
    # The two bytes of its header may be text.
    if len(head) < _SHORTEST_ZLIB or not head.startswith(_ZLIB_HEADERS) or not head.translate(None, _PRINTABLE):
        return False
    try:
        zlib.decompressobj().decompress(head)
    except zlib.error:
        return False
    return True


_SHORTEST_ZLIB = 8
_ZLIB_HEADERS = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"

# What compressed data begins with in base64, as cloud-init has gzip, and in base64 of base64, as Helm has it.
_WORDS = {
    b"H4sI": "gzip",
    b"SDRzS": "gzip",
    b"/Td6WFo": "xz",
    b"QlpoO": "bzip2",
    b"KLUv/": "zstd",
    b"XQAAgA": "lzma",
    b"UEsDB": "zip",
}
_BEHIND = rb"[A-Za-z0-9+/\\\r\n ]{24}"
_PACKED = re.compile(rb"(?<![A-Za-z0-9+/])(%s)%s" % (b"|".join(map(re.escape, _WORDS)), _BEHIND))
# Parts of them, since short words are looked for faster.
_PARTS = (b"H4sI", b"SDRzS", b"Td6WF", b"QlpoO", b"KLUv", b"QAAgA", b"UEsDB")
# Two bytes prove nothing. Most texts have none of them.
_ZLIB_WORDS = (b"eJ", b"eN", b"eA", b"eF")
_MAYBE_ZLIB = re.compile(rb"e(?:J[w-z]|N[o-r]|A[E-H]|F[4-7])" + _BEHIND)
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def packed_in(text: bytes) -> str:
    """The format of something compressed that a text holds in base64, empty for none."""
    if any(part in text for part in _PARTS):
        found = _PACKED.search(text)
        if found is not None:
            return _WORDS[found.group(1)]
    for maybe in _MAYBE_ZLIB.finditer(text) if any(word in text for word in _ZLIB_WORDS) else ():
        begins = maybe.start() == 0 or text[maybe.start() - 1] not in _ALPHABET
        if begins and _is_zlib(_decoded(maybe.group())):
            return "zlib"
    return ""


def _decoded(text: bytes) -> bytes:
    raw = text.translate(None, b"\\\r\n ")
    return base64.b64decode(raw[: len(raw) // 4 * 4])[:16]
