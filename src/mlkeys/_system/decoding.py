# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The text of a file in whatever Unicode encoding, or the knowledge that it is not text."""

from __future__ import annotations

import codecs

# As git does.
_LOOKED_AT = 8000
# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
# Of the bytes at even or at odd places, how many are zero in UTF-16 text of mostly Latin letters.
_MOST = 0.7

#: How files begin in which no text can be found: gzip, zip (also office documents and wheels), bzip2, xz, Zstandard,
#: 7z, RAR, LZ4, lzip and compress.
PACKED = (
    *(b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"),
    *(b"Rar!\x1a\x07", b"\x04\x22\x4d\x18", b"LZIP\x01", b"\x1f\x9d"),
    *(b"BZh%d1AY&SY" % level for level in range(1, 10)),
)


def decoded(data: bytes, errors: str = "replace") -> str | None:
    """The text, None for binary data.

    Args:
        errors: what to do about invalid bytes, as for `bytes.decode`.

    UTF-16 and UTF-32 are recognised by their byte order mark, UTF-16 also by its zero bytes.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors=errors)
    beginning = data[:_LOOKED_AT]
    if b"\0" not in beginning:
        return data.decode("utf-8", errors=errors)
    for encoding, text, zeros in (
        ("utf-16-le", beginning[::2], beginning[1::2]),
        ("utf-16-be", beginning[1::2], beginning[::2]),
    ):
        if zeros and zeros.count(0) >= _MOST * len(zeros) and b"\0" not in text:
            return data.decode(encoding, errors=errors)
    return None
