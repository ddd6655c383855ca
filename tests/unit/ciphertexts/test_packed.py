# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed data in base64, as in user data of cloud-init and in releases of Helm, is named like compressed files."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import os
import zipfile
import zlib

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import COMPRESSED
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.packed import (
    HEAD,
    compression,
    packed_in,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan

PACKED = base64.b64encode(gzip.compress(b"OPENAI_API_KEY=vault:v1:" + base64.b64encode(os.urandom(40)))).decode()


def kind(text: str, sizes: Sizes | None = None) -> str | None:
    scan = Scan(io.BytesIO(text.encode()), sizes=sizes)
    list(scan)
    unread = scan.unread("/srv/x")
    return unread.kind if unread else None


@pytest.mark.parametrize(
    "text",
    [
        f"write_files:\n  - encoding: gz+b64\n    content: {PACKED}\n",
        "content: |\n" + "".join(f"  {PACKED[place : place + 20]}\n" for place in range(0, len(PACKED), 20)),
        f'{{"release": "{base64.b64encode(PACKED.encode()).decode()}"}}',
    ],
    ids=["cloud-init", "lines", "helm"],
)
def test_it_is_named(text: str) -> None:
    assert kind(text) == COMPRESSED
    # Wherever one part of the stream ends.
    assert {kind(text, Sizes(window, 64, 64)) for window in (7, 16, 50)} == {COMPRESSED}


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


CONTENT = b"OPENAI_API_KEY=vault:v1:" + base64.b64encode(os.urandom(40)) + b"\n"
CONTENT *= 4
FORMATS = {
    "bzip2": bz2.compress(CONTENT),
    "xz": lzma.compress(CONTENT),
    "lzma": lzma.compress(CONTENT, lzma.FORMAT_ALONE),
    "zlib": zlib.compress(CONTENT),
    "zlib, fast": zlib.compress(CONTENT, 1),
    "zlib, small": zlib.compress(CONTENT, 9),
    "zlib, usual": zlib.compress(CONTENT, 4),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_named(name: str) -> None:
    """As a file, and in base64."""
    data = FORMATS[name]
    scan = Scan(io.BytesIO(data))
    assert list(scan) == []
    assert scan.compression == name.partition(",")[0]
    scan = Scan(io.BytesIO(b"data: " + base64.b64encode(data) + b"\n"))
    assert list(scan) == []
    unread = scan.unread("/srv/x")
    assert unread is not None
    assert (unread.kind, f"({name.partition(',')[0]})" in unread.reason) == (COMPRESSED, True)


def test_a_zip_in_base64_is_named() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.env", CONTENT)
    assert kind(f"data: {in_base64(stream.getvalue())}\n") == COMPRESSED


def test_zstd_is_named() -> None:
    data = b"\x28\xb5\x2f\xfd\x04\x00" + bytes(60)
    assert Scan(io.BytesIO(data)).compression == ""
    scan = Scan(io.BytesIO(data))
    assert list(scan) == []
    assert scan.compression == "zstd"
    assert kind(f"data: {in_base64(data)}\n") == COMPRESSED


def windowed(bits: int, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, bits)
    return packer.compress(CONTENT) + packer.flush()


def alone(**filters: int) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, **filters}]
    return lzma.compress(CONTENT, lzma.FORMAT_ALONE, filters=chain)


UNUSUAL = {
    **{f"zlib, {bits} bits, level {level}": windowed(bits, level) for bits in range(9, 16) for level in (0, 1, 6, 9)},
    "lzma, text": alone(lc=4, lp=0, pb=2),
    "lzma, aligned": alone(lc=0, lp=2, pb=0),
    "lzma, small": alone(dict_size=1 << 16),
    "lzma, between": alone(dict_size=3 << 20),
    "lzma, large": lzma.compress(CONTENT, lzma.FORMAT_ALONE, preset=9),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_each_header_of_a_format_is_known(name: str) -> None:
    scan = Scan(io.BytesIO(UNUSUAL[name]))
    # Level 0 stores its content, in which the ciphertexts are found.
    assert bool(list(scan)) == name.endswith("level 0")
    assert scan.compression == name.partition(",")[0]


def test_what_only_begins_like_one_is_not_named() -> None:
    for number in range(256):
        rest = b"".join(hashlib.sha512(bytes([number, part])).digest() for part in range(HEAD // 64))
        assert compression(b"\x48\x89" + rest) == ""
        assert compression(b"\x01" + (1 << 16).to_bytes(4, "little") + rest[:4] + bytes(5) + rest) == ""
        text = "ü" + "".join(chr(byte % 64 + 32) for byte in rest)
        assert compression(f"HK{text}".encode()) == ""


@pytest.mark.parametrize("form", ["for URLs", "in lines with tabs", "for URLs, in lines with tabs"])
@pytest.mark.parametrize("name", [*FORMATS, "gzip"])
def test_other_base64_is_named(name: str, form: str) -> None:
    for number in range(10):
        content = CONTENT + bytes([number])
        data = gzip.compress(content, mtime=1_700_000_000 + number) if name == "gzip" else FORMATS[name]
        encode = base64.urlsafe_b64encode if form.startswith("for URLs") else base64.b64encode
        text = encode(data).decode()
        if form.endswith("tabs"):
            text = "\n" + "\n".join("\t" + text[place : place + 16] for place in range(0, len(text), 16))
        assert kind(f"data:{text}\n" if form.endswith("tabs") else f"data: {text}\n") == COMPRESSED


@pytest.mark.parametrize("text", ["x^2 + y^2 = z^2 .............", "eJw", f"eNotificationCenter{'Abc' * 9}", "x\x01y"])
def test_what_looks_like_zlib_is_not(text: str) -> None:
    assert kind(text) is None


@pytest.mark.parametrize("text", ["H4sI\n", f"x{PACKED}", f"token: {'A' * 40}H4sI{'A' * 40}", "a: H4sIA==\n"])
def test_other_texts_are_not(text: str) -> None:
    assert kind(text) is None


@pytest.mark.parametrize("packed", ["eJwLycgsVgCiRIWU1OKizLz0Yx", "H4sIAAAAAAAAA8tIzcnJVyjPL8pJAQCFEUoNCwAAAA"])
def test_a_ciphertext_that_looks_like_compressed_data_is_none(packed: str) -> None:
    """Of a million random ones, some do."""
    behind = base64.b64encode(bytes(24)).decode()
    for text, is_packed in (("A=vault:v12:{}", False), ("A={}", True), ("A=vault:v:{}", True), ("v1:{}", True)):
        assert bool(packed_in(text.format(packed + behind).encode())) is is_packed, text
    assert packed_in(f"A=vault:v1:{packed}{behind} B={packed}{behind}".encode())


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"!<arch>\ndebian-binary   0", "deb"),
        (b"!<arch>\n/               0", ""),
        (b"%PDF-1.4\n", "PDF"),
        (b"PAR1\x15\x04\xc3", "parquet"),
        (b"PAR1 is a name\n", ""),
        (b"\xff\x06\x00\x00sNaPpY\x01", "snappy"),
    ],
)
def test_formats_with_compressed_parts_are_named(head: bytes, name: str) -> None:
    assert compression(head) == name


def test_an_image_of_squashfs_is_named_and_a_text_with_its_letters_is_not() -> None:
    for letters in (b"hsqs", b"sqsh"):
        assert compression(letters + bytes([7, 0, 0, 0, 0xC3, 0x28])) == "squashfs"
        assert compression(letters + b"_KEY=x\n") == ""
