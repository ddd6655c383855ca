# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What git has stored: the contents of files, and the commits that brought them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkeys._errors import MlkeysError

#: Bytes. Notebooks and data files may be large, but must fit into memory.
LARGEST = 64 * 1024 * 1024
REGULAR_MODES = (b"100644", b"100755")

# How many contents are read at a time, and about how many bytes.
_BATCH, _BATCH_BYTES = 1000, LARGEST


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """The output of git.

    Raises:
        MlkeysError: it failed, or is not installed.
    """
    return git_with_warnings(folder, *arguments, stdin=stdin)[0]


def git_with_warnings(folder: Path, *arguments: str, stdin: bytes = b"") -> tuple[bytes, bytes]:
    """The same, and its warnings in English.

    Raises:
        MlkeysError: as above.
    """
    command = ["git", "-C", str(folder), "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
        )
    except OSError as problem:
        raise MlkeysError(f"git {arguments[0]} failed in {folder}: {problem.strerror}") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise MlkeysError(f"git {arguments[0]} failed in {folder}: {reason}")
    return done.stdout, done.stderr


def contents_of(root: Path, blobs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Each blob and its content, None for one that is too large."""
    checked = git(root, "cat-file", "--batch-check", stdin=_lines(blobs)) if blobs else b""
    batch: list[bytes] = []
    total = 0
    for blob, *_, size in (line.split(b" ") for line in checked.splitlines()):
        if int(size) > LARGEST:
            yield blob, None
            continue
        if len(batch) == _BATCH or (batch and total + int(size) > _BATCH_BYTES):
            yield from _read(root, batch)
            batch, total = [], 0
        batch.append(blob)
        total += int(size)
    if batch:
        yield from _read(root, batch)


def _read(root: Path, blobs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    answer = git(root, "cat-file", "--batch", stdin=_lines(blobs))
    at = 0
    for blob in blobs:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split(b" ")[2])
        yield blob, answer[end + 1 : end + 1 + size]
        at = end + size + 2


def _lines(blobs: Sequence[bytes]) -> bytes:
    return b"".join(blob + b"\n" for blob in dict.fromkeys(blobs))


def committed(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes, bytes]]:
    """The commit, the blob and the path of each change of a file in any commit that git can reach, oldest first."""
    shape = ("--raw", "-z", "--no-renames", "--no-abbrev", "--root", "-m", "--diff-filter=AMT", "--format=%x00%h")
    fields = git(root, "log", "--all", "--reverse", "--topo-order", *shape, "--", *paths).split(b"\0")
    commit = ""
    at = 0
    while at < len(fields):
        field = fields[at].strip(b"\n")
        if field.startswith(b":"):
            _, kind, _, blob, _ = field.split(b" ")
            if kind in REGULAR_MODES:
                yield commit, blob, fields[at + 1]
            at += 1
        elif field:
            commit = field.decode()
        at += 1
