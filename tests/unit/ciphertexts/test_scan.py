# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of any kind and size are searched to their end, and whatever keeps one from being clean is named."""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import sqlite3
import time
import tracemalloc
import typing
import zipfile
from pathlib import Path
from typing import cast

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    Bookmark,
    FileResult,
    FoundCiphertext,
    Unread,
    digest,
    version_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import RewriteError
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import rewrite
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan, scan_file

from tests.support.ciphertext_forms import FORMS, token

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OLD = token(9, bytes(range(200, 245)))
NEW = token(10, bytes(range(100, 145)))
BEYOND_A_WINDOW = b"# a comment\n" * 300_000


def scanned(tmp_path: Path, content: bytes) -> FileResult:
    path = tmp_path / "file"
    path.write_bytes(content)
    return scan_file(str(path))


@pytest.mark.parametrize("filler", [b"", BEYOND_A_WINDOW], ids=["small", "large"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("form", ["plain", "URL", "JSON, lower case", "base64"])
def test_utf_16_and_utf_32_are_found_and_not_changed(tmp_path: Path, encoding: str, form: str, filler: bytes) -> None:
    content = filler + f"# ü\n{FORMS[form].write(OLD, 0)}\n".encode(encoding)
    result = scanned(tmp_path, content)
    assert [(one.text, one.form) for one in result.found] == [(OLD, encoding[:6])]
    assert encoding[:6].upper() in result.found[0].problem
    assert result.unread is not None
    assert result.unread.kind == "encoding"
    assert result.unread.blocks()
    target = io.BytesIO()
    assert rewrite(io.BytesIO(content), target, {OLD: NEW}).total == 0
    assert target.getvalue() == content
    assert scanned(tmp_path, filler + "no ciphertext".encode(encoding)) == FileResult(str(tmp_path / "file"))


@pytest.mark.parametrize(
    "content",
    [
        b"\0\1" + OLD.encode(),
        OLD.encode() + b"\n" + BEYOND_A_WINDOW + b"\0",
        b"\0" + BEYOND_A_WINDOW + OLD.encode(),
        BEYOND_A_WINDOW + OLD.encode() + b"\0",
    ],
    ids=["beside", "far behind", "far before", "at the end"],
)
def test_a_file_with_a_nul_is_searched_and_not_changed(tmp_path: Path, content: bytes) -> None:
    result = scanned(tmp_path, content)
    assert [one.text for one in result.found] == [OLD]
    assert result.problems == result.found
    assert result.unread == Unread(result.path, "binary file holds a ciphertext", "binary")
    assert result.unread.blocks()
    with open(result.path, "rb") as source, pytest.raises(RewriteError, match="binary"):  # noqa: PTH123
        rewrite(source, io.BytesIO(), {OLD: NEW})
    assert scanned(tmp_path, content.replace(OLD.encode(), b"")) == FileResult(result.path)


def test_a_database_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("create table s(v text, n integer)")
        database.executemany("insert into s values(?, 1)", [("x" * 200,)] * 100)
    assert scan_file(str(path)) == FileResult(str(path))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("insert into s values(?, 1)", (OLD,))
    result = scan_file(str(path))
    assert [one.text for one in result.found] == [OLD]
    assert result.unread == Unread(str(path), "binary file holds a ciphertext", "binary")


def zipped(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a", content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(OLD.encode()), "gzip"),
        (bz2.compress(OLD.encode()), "bzip2"),
        (bz2.compress(b""), "bzip2"),
        (lzma.compress(OLD.encode() * 50), "xz"),
        (b"# v2 git bundle\n" + b"0" * 40 + b" HEAD\n\nPACK\0\0\0\2\0\0\0\1", "bundle of Git"),
        (b"PACK\0\0\0\2\0\0\0\1\x97\x0a", "pack of Git"),
        (zipped(OLD.encode() * 2), "zip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x50\x2a\x4d\x18\x00\x00\x00\x00", "zstd"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z"),
        (b"\x04\x22\x4d\x18\x64\x40", "lz4"),
    ],
    # Compressed bytes hold the time, and test processes have to agree on names.
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_compressed_files_are_listed_and_block_only_where_asked(tmp_path: Path, content: bytes, name: str) -> None:
    result = scanned(tmp_path, content)
    assert result.found == ()
    assert result.unread is not None
    assert result.unread.kind == "compressed"
    assert name in result.unread.reason
    assert not result.unread.blocks()
    assert result.unread.blocks(strict=True)


def test_what_only_begins_like_compressed_is_text(tmp_path: Path) -> None:
    assert scanned(tmp_path, b"BZhang's notes\n") == FileResult(str(tmp_path / "file"))
    stored = scanned(tmp_path, zipped(OLD.encode() + b"\n", zipfile.ZIP_STORED))
    assert [one.text for one in stored.found] == [OLD]
    assert stored.unread is not None
    assert stored.unread.kind == "binary"


def test_other_than_regular_files_are_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    kinds = [("pipe", "failed"), (".", "failed"), ("gone", "missing")]
    for name, kind in kinds:
        unread = scan_file(str(tmp_path / name)).unread
        assert unread is not None
        assert unread.kind == kind
        assert unread.blocks()
    assert scan_file("/dev/null").unread == Unread("/dev/null", "not a regular file", "failed")


FINGERPRINT = token(1, b"f" * 32)
OF_NUMBER = f"sha256:{'0' * 32} json"
NESTED = f"{FINGERPRINT} {OF_NUMBER}"
FILES = [
    f"---\na: {OLD}\n_transit:\n  hmac:\n    a: {FINGERPRINT}\n\n  # last\n    b: {FINGERPRINT}\nc: {OLD}\n",
    f"---\na: {OLD}\n_transit:\n  hmac:\n    a: {FINGERPRINT}\n\n# x\n    b: {FINGERPRINT}\nc: {OLD}\n".replace(
        "\n", "\r\n"
    ),
    f"_transit: {{format: 1, hmac: {{a: {FINGERPRINT}}}}}\na: {OLD}\n\nc: {OLD}",
    json.dumps({"a": OLD, "_transit": {"format": 1, "hmac": {"a": FINGERPRINT}, "key": "k"}, "c": OLD}, indent=2),
    json.dumps({"_transit": {"hmac": {}}, "a": OLD, "c": OLD}),
    f"a: {OLD}\nc: {OLD}\n_transit:\n  hmac:\n    a: {FINGERPRINT}",
    f"a: {OLD}\nc: {OLD}\n_transit:\n  unencrypted:\n  - a.b\n  hmac:\n    a.%3080: {FINGERPRINT} {OF_NUMBER}\n",
    json.dumps({"a": OLD, "c": OLD, "_transit": {"unencrypted": ["a.b", "x"], "hmac": {"a.open%2Eai.0": NESTED}}}),
    f"a: {OLD}\nc: {OLD}\n_transit:\n  hmac:\n" + "".join(f"    a{n}: {FINGERPRINT}\n" for n in range(500)),
]
SIZES = [None, Sizes(window=50, reach=1000, context=300), Sizes(window=1, reach=1000, context=300)]


@pytest.mark.parametrize("sizes", SIZES, ids=["large windows", "small windows", "single bytes"])
@pytest.mark.parametrize("text", FILES)
def test_fingerprints_of_a_vars_file_are_not_ciphertexts(text: str, sizes: Sizes | None) -> None:
    assert [found.name for found in Scan(io.BytesIO(text.encode()), sizes=sizes)] == ["a", "c"]
    target = io.BytesIO()
    texts = {OLD: NEW, FINGERPRINT: NEW}
    assert rewrite(io.BytesIO(text.encode()), target, texts, expected=2, sizes=sizes).left == 0
    loaded = yaml.safe_load(target.getvalue())
    assert (loaded["a"], loaded["c"]) == (NEW, NEW)
    assert NEW not in str(loaded["_transit"])


def test_fingerprints_inside_of_another_file_are_not_ciphertexts_either() -> None:
    indented = "data:\n  keys.yml: |\n    " + FILES[0].replace("\n", "\n    ") + f"\n  other: {FINGERPRINT}\n"
    assert [found.name for found in Scan(io.BytesIO(indented.encode()))] == ["a", "c", "other"]
    encoded = json.dumps({"data": {"keys.yml": base64.b64encode(FILES[3].encode()).decode()}})
    assert [found.name for found in Scan(io.BytesIO(encoded.encode()))] == ["a", "c"]


SHORT = token(1, b"f" * 32)
NO_FINGERPRINTS = {
    "a comment behind the block": f"a: x\n_transit:\n  hmac:\n    k: v\n\n# k: {SHORT}\n",
    "a comment in the block": f"_transit:\n  hmac:\n    a: x\n    # k: {SHORT}\nb: 1\n",
    "a comment behind a fingerprint": f"_transit:\n  hmac:\n    a: x # k: {SHORT}\n",
    "a block of somebody else": f"_transit:\n  k: {SHORT}\nother: 1\n",
    "its mapping": f"_transit:\n  hmac: x\n  keys:\n    k: {SHORT}\n",
    "a mapping in braces": f"_transit: {{format: 1, k: {SHORT}}}\n",
    "its mapping in braces": f"_transit: {{format: 1, keys: {{k: {SHORT}}}}}\n",
    "deeper than the fingerprints": f"_transit:\n  hmac:\n    a:\n      k: {SHORT}\n",
    "a deeper mapping of that name": f"_transit:\n  keys:\n    hmac:\n      k: {SHORT}\n",
    "a list": f"_transit:\n  hmac:\n    - {SHORT}\n",
    "behind a brace in quotes": f'{{"_transit": {{"note": "{{"}}, "k": "{SHORT}"}}',
    "behind an object": f'{{"_transit": {{"hmac": {{}}}}, "k": "{SHORT}"}}',
    "behind the fingerprints of an object": f'{{"_transit": {{"hmac": {{}}, "k": "{SHORT}"}}}}',
    "a text with the word": f'{{"note": "_transit: {{hmac: {{", "k": "{SHORT}"}}',
    "an environment file": f"_transit=1\nhmac=\n  k={SHORT}\n",
    "text behind it": f"_transit:\n  hmac:\n    k: {SHORT} and more\n",
    "a kind without a digest": f"_transit:\n  hmac:\n    k: {SHORT} json\n",
    "in a list of names": f'{{"_transit": {{"unencrypted": [{{"k": "{SHORT}"}}]}}}}',
}


@pytest.mark.parametrize("sizes", SIZES, ids=["large windows", "small windows", "single bytes"])
@pytest.mark.parametrize("name", NO_FINGERPRINTS)
def test_a_ciphertext_of_the_size_of_a_fingerprint_is_found(name: str, sizes: Sizes | None) -> None:
    """That of a text of 4 bytes has it."""
    text = NO_FINGERPRINTS[name]
    assert [found.text for found in Scan(io.BytesIO(text.encode()), sizes=sizes)] == [SHORT]
    # Also in a Secret of Kubernetes.
    encoded = f"data: {base64.b64encode(text.encode()).decode()}\n"
    assert [found.text for found in Scan(io.BytesIO(encoded.encode()), sizes=sizes)] == [SHORT]


@pytest.mark.parametrize("size", [48, 64])
def test_no_ciphertext_of_another_size_is_a_fingerprint(size: int) -> None:
    """As those of the ID of an AWS key, and of a UUID."""
    text = f"_transit:\n  format: 1\n  hmac:\n    k: {token(1, bytes(size))}\n"
    assert len(list(Scan(io.BytesIO(text.encode())))) == 1


WRITTEN = {"a": f"{FINGERPRINT} {digest(OLD)}", "a_longer_name": f"{FINGERPRINT} {digest(OLD)}"}
METADATA = {"backend": "transit", "format": 1, "key": "ml-api.key", "hmac": WRITTEN, "before": {"a": digest(NEW)}}
DUMPED = {
    "yaml": yaml.safe_dump({"a": OLD, "_transit": METADATA, "c": OLD}, sort_keys=False),
    "yaml, sorted, indented": yaml.safe_dump({"a": OLD, "_transit": METADATA, "c": OLD}, indent=4),
    "yaml, wide": yaml.safe_dump({"a": OLD, "_transit": METADATA, "c": OLD}, width=10**6),
    "yaml, quoted": yaml.safe_dump({"a": OLD, "_transit": METADATA, "c": OLD}, default_style='"', width=10**6),
    "yaml in braces": yaml.safe_dump({"a": OLD, "_transit": METADATA, "c": OLD}, default_flow_style=True, width=10**6),
    "yaml, blocks": (
        f"a: {OLD}\n_transit:\n  hmac:\n    a: >-\n      {FINGERPRINT}\n    b:\n      {FINGERPRINT}\nc: {OLD}\n"
    ),
    "json": json.dumps({"a": OLD, "_transit": METADATA, "c": OLD}),
    "json, indented": json.dumps({"a": OLD, "_transit": METADATA, "c": OLD}, indent=4),
    "json, compact": json.dumps({"a": OLD, "_transit": METADATA, "c": OLD}, separators=(",", ":")),
    "json in json": json.dumps({"keys": json.dumps({"a": OLD, "_transit": METADATA, "c": OLD}, indent=1)}),
    "php": json.dumps({"a": OLD, "_transit": METADATA, "c": OLD}).replace("/", r"\/"),
    "comments": f"a: {OLD}\n_transit:  # x\n  # y\n  hmac: # z\n\n\n    a: '{FINGERPRINT}' # z\nc: {OLD}\n",
}


@pytest.mark.parametrize("sizes", SIZES, ids=["large windows", "small windows", "single bytes"])
@pytest.mark.parametrize("name", DUMPED)
def test_fingerprints_are_recognized_however_the_file_is_written(name: str, sizes: Sizes | None) -> None:
    assert [found.text for found in Scan(io.BytesIO(DUMPED[name].encode()), sizes=sizes)] == [OLD, OLD]


def test_a_ciphertext_among_the_fingerprints_is_found() -> None:
    text = f"_transit:\n  hmac: {{a: {FINGERPRINT}}}\n  left: {OLD}\n"
    assert [found.name for found in Scan(io.BytesIO(text.encode()))] == ["left"]


@pytest.mark.parametrize("most", [1, 7, 100])
def test_a_search_goes_on_where_another_ended(tmp_path: Path, most: int) -> None:
    parts = [form.write(token(number + 1, bytes(40)), 30) for number, form in enumerate(FORMS.values())]
    many = base64.b64encode("".join(f"A{n}={token(n, bytes(30))}\n" for n in range(100, 120)).encode()).decode()
    content = "\n# §\n".join([*parts, *FILES, many, *parts]).encode() + b"\n"
    whole = scanned(tmp_path, content)
    found: list[FoundCiphertext] = []
    bookmark = None
    while True:
        part = scan_file(whole.path, most=most, bookmark=bookmark)
        found += part.found
        if part.bookmark is None:
            break
        bookmark = Bookmark.from_result(json.loads(json.dumps(part.bookmark.as_result())))
        assert bookmark.found == len(found)
    assert tuple(found) == whole.found
    assert len(found) == 2 * len(parts) + 2 * len(FILES) + 20


def test_results_are_json(tmp_path: Path) -> None:
    result = scanned(tmp_path, b"a: " + OLD.encode() + b"\0").as_result()
    assert json.loads(json.dumps(result)) == result
    assert result["found"] == [
        {"text": OLD, "line": 1, "name": "a", "form": "plain", "problem": "binary file holds a ciphertext"}
    ]


def test_a_ciphertext_has_a_version_and_a_digest() -> None:
    assert (version_of(OLD), version_of(NEW), version_of("vault:v"), version_of("")) == (9, 10, 0, 0)
    assert digest(OLD) != digest(NEW)


class Generated(io.RawIOBase):
    """A stream of any length that is nowhere."""

    def __init__(self, line: bytes, count: int) -> None:
        self._line = line * 1000
        self._left = self._all = count // 1000

    def readable(self) -> bool:
        return True

    def seek(self, _place: int, _whence: int = 0) -> int:
        """Go to the beginning."""
        self._left = self._all
        return 0

    def read(self, size: int = -1) -> bytes:
        lines = min(self._left, max(1, size // len(self._line)))
        self._left -= lines
        return self._line * lines


class Sink(io.RawIOBase):
    """Where what is written is counted."""

    length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = len(memoryview(data))
        self.length += size
        return size


@pytest.mark.parametrize(
    "line", [b"# nothing\n", b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w", b"\0\1\2"]
)
def test_memory_is_flat_without_ciphertexts(line: bytes) -> None:
    count = 50_000_000 // len(line) // 1000 * 1000
    tracemalloc.start()
    try:
        assert list(Scan(cast("typing.BinaryIO", Generated(line, count)))) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


def test_memory_is_flat_with_many_ciphertexts() -> None:
    line = f"OPENAI_API_KEY='{OLD}'  # {'x' * 900}\n".encode()
    count = 12_000
    tracemalloc.start()
    try:
        assert sum(found.text == OLD for found in Scan(cast("typing.BinaryIO", Generated(line, count)))) == count
        sink = Sink()
        source = cast("typing.BinaryIO", Generated(line, count))
        assert rewrite(source, cast("typing.BinaryIO", sink), {OLD: NEW}).total == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sink.length == count * (len(line) + 1)
    assert peak < 24 << 20


def sparse(path: Path, *, content: bytes, places: tuple[int, ...], size: int) -> Path:
    with path.open("wb") as file:
        for place in places:
            file.seek(place)
            file.write(content)
        file.truncate(size)
    return path


@pytest.mark.parametrize("places", [(), (0,), (1 << 39,), (1 << 20, 5 << 30, (1 << 40) - 4096)])
def test_a_terabyte_of_holes_is_read_to_its_end_at_once(tmp_path: Path, places: tuple[int, ...]) -> None:
    path = sparse(tmp_path / "sparse", content=OLD.encode(), places=places, size=1 << 40)
    begun = time.monotonic()
    result = scan_file(str(path))
    assert time.monotonic() - begun < 5
    assert [found.text for found in result.found] == [OLD] * len(places)
    if places:
        assert result.unread == Unread(str(path), "binary file holds a ciphertext", "binary")
        assert result.problems == result.found
    else:
        assert result.unread is None
    assert (result.digest, result.bookmark) == ("", None)
    first = scan_file(str(path), most=1)
    if len(places) > 1:
        rest = scan_file(str(path), bookmark=first.bookmark)
        assert len(first.found) + len(rest.found) == len(places)


def test_what_others_put_in_the_place_of_a_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(OLD)
    (tmp_path / "link").symlink_to("file")
    assert scan_file(str(tmp_path / "link")).unread == Unread(str(tmp_path / "link"), "not a regular file", "failed")
