# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What is compressed, by the first bytes of it. **Private** to the collection."""

from __future__ import annotations

import base64
import codecs
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
    (b"hsqs", "squashfs"),
    (b"sqsh", "squashfs"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    # Their parts are compressed.
    (b"!<arch>\ndebian-binary", "deb"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
    (b"xar!\x00", "xar"),
    (b"%PDF-", "PDF"),
    (b"PAR1", "parquet"),
    (b"Obj\x01", "avro"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
)
_LETTERS = (b"hsqs", b"sqsh", b"PAR1")
_SKIPPABLE_FRAME = b"\x2a\x4d\x18"


#: So much of a file's beginning shows whether it is compressed.
HEAD = 512


def compression(head: bytes) -> str:
    """What the first bytes of a file show that it is compressed with, empty where they do not."""
    if head[1:4] == _SKIPPABLE_FRAME and head[0] & 0xF0 == 0x50:
        return "zstd or lz4"
    for magic, name in _MAGIC:
        # A text may begin with these letters.
        if not head.startswith(magic) or (magic in _LETTERS and _is_text(head)):
            continue
        if magic != b"BZh" or head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
            return name
    if _is_zlib(head):
        return "zlib"
    return "lzma" if _is_lzma(head) else ""


def _is_zlib(head: bytes) -> bool:
    # The two bytes of its header may be text.
    if len(head) < _SHORTEST_ZLIB or not _ZLIB_HEADER.match(head) or _is_text(head):
        return False
    try:
        zlib.decompressobj().decompress(head, _MOST_OUTPUT)
    except zlib.error:
        return False
    return True


_MOST_OUTPUT = 1 << 16
_SHORTEST_ZLIB = 8
# Method 8 with a window of up to 32 KiB, without a dictionary, and a sum that 31 divides.
_ZLIB_HEADER = re.compile(
    b"|".join(
        re.escape(bytes([method, flags]))
        for method in range(0x08, 0x80, 0x10)
        for flags in range(256)
        if (method * 256 + flags) % 31 == 0 and not flags & 0x20
    )
)
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return len(head.translate(None, _CONTROLS)) == len(head)


def _is_lzma(head: bytes) -> bool:
    """Whether it has the header of an LZMA file, which has no magic number, and what follows can be read."""
    size = int.from_bytes(head[5:13], "little")
    # The size is unknown, or less than 256 GiB. The first byte behind the header is always 0.
    if len(head) < _SHORTEST_LZMA or head[0] >= 225 or head[13] or head[1:5] not in _LZMA_WINDOWS:
        return False
    if not (size == _UNKNOWN_SIZE or 0 < size < 1 << 38):
        return False
    try:
        # Not every Python has it.
        import lzma
    except ImportError:
        return True
    try:
        # In a small window, since the system may have little memory.
        lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(head[:1] + _SMALL_WINDOW + head[5:], _MOST_OUTPUT)
    except lzma.LZMAError:
        return False
    return True


_SHORTEST_LZMA = 18
_UNKNOWN_SIZE = (1 << 64) - 1
_LZMA_WINDOWS = frozenset(
    size.to_bytes(4, "little") for power in range(12, 31) for size in (1 << power, (1 << power) + (1 << power - 1))
)
_SMALL_WINDOW = (1 << 20).to_bytes(4, "little")

# What compressed data begins with in base64, also in that for URLs: cloud-init has gzip so, Helm in base64 of base64.
_WORDS = {
    b"H4sI": "gzip",
    b"SDRzS": "gzip",
    b"/Td6WFo": "xz",
    b"_Td6WFo": "xz",
    b"QlpoO": "bzip2",
    b"KLUv/": "zstd",
    b"KLUv_": "zstd",
    b"XQAAgA": "lzma",
    b"UEsDB": "zip",
}
_BEHIND = rb"[A-Za-z0-9+/_\\\r\n\t -]{24}"
_PACKED = re.compile(rb"(?<![A-Za-z0-9+/])(%s)%s" % (b"|".join(map(re.escape, _WORDS)), _BEHIND))
# Parts of them, since short words are looked for faster.
_PARTS = (b"H4sI", b"SDRzS", b"Td6WF", b"QlpoO", b"KLUv", b"QAAgA", b"UEsDB")
# Two bytes prove nothing. Most texts have none of them.
_ZLIB_WORDS = (b"eJ", b"eN", b"eA", b"eF")
_MAYBE_ZLIB = re.compile(rb"e(?:J[w-z]|N[o-r]|A[E-H]|F[4-7])" + _BEHIND)
_PREFIX = re.compile(rb"vault:v\d{1,10}:\Z")
_LONGEST_PREFIX = 18
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def packed_in(text: bytes) -> str:
    """The format of something compressed that a text holds in base64, empty for none."""
    for found in _PACKED.finditer(text) if any(part in text for part in _PARTS) else ():
        if not _is_of_a_ciphertext(text, found.start()):
            return _WORDS[found.group(1)]
    for maybe in _MAYBE_ZLIB.finditer(text) if any(word in text for word in _ZLIB_WORDS) else ():
        begins = maybe.start() == 0 or text[maybe.start() - 1] not in _ALPHABET
        if begins and not _is_of_a_ciphertext(text, maybe.start()) and _is_zlib(_decoded(maybe.group())):
            return "zlib"
    return ""


def _is_of_a_ciphertext(text: bytes, start: int) -> bool:
    """Whether base64 is what follows `vault:v1:`. Of a million ciphertexts, some look like compressed data."""
    return bool(_PREFIX.search(text, max(0, start - _LONGEST_PREFIX), start))


def _decoded(text: bytes) -> bytes:
    raw = text.translate(_FROM_URL, b"\\\r\n\t ")
    return base64.b64decode(raw[: len(raw) // 4 * 4])[:16]
