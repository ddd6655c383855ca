# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed data in base64, as in user data of cloud-init and in releases of Helm, is named like compressed files."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import COMPRESSED
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


@pytest.mark.parametrize("text", ["x^2 + y^2 = z^2 .............", "eJw", f"eNotificationCenter{'Abc' * 9}", "x\x01y"])
def test_what_looks_like_zlib_is_not(text: str) -> None:
    assert kind(text) is None


@pytest.mark.parametrize("text", ["H4sI\n", f"x{PACKED}", f"token: {'A' * 40}H4sI{'A' * 40}", "a: H4sIA==\n"])
def test_other_texts_are_not(text: str) -> None:
    assert kind(text) is None
