# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What git has stored: the contents of files, and the commits that brought them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkeys._errors import MlkeysError

#: Bytes. Notebooks and data files may be large, but must fit into memory.
LARGEST = 64 * 1024 * 1024
TOO_LARGE = f"larger than {LARGEST // (1024 * 1024)} MiB"
NOT_FETCHED = "this clone does not have it; run git fetch --refetch --no-filter"
REGULAR_MODES = (b"100644", b"100755")

# How many contents are read at a time, and about how many bytes.
_BATCH, _BATCH_BYTES = 1000, LARGEST


#: Variables of Git that are kept: they say where a repository is, as hooks do, and what its owner's settings are. All
#: others are dropped, since many of them name programs.
_KEPT = re.compile(
    r"GIT_(?:DIR|COMMON_DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|QUARANTINE_PATH"
    r"|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|DEFAULT_HASH|CONFIG_\w+)"
)
# Nothing is fetched, so that no setting of a remote counts: `GIT_ALLOW_PROTOCOL` replaces `protocol.*.allow`.
_ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
# Settings of a repository that would run a program in the subcommands of mlkeys, whatever its `.git/config` says.
_SETTINGS = {
    "core.quotePath": "false",
    # Without a value: for Git before 2.36, any value is the name of a program.
    "core.fsmonitor": "",
    "core.hooksPath": os.devnull,
    # They start gpg, and the merge drivers of the repository.
    "log.showSignature": "false",
    "log.diffMerges": "separate",
    # It would write the index, after which hooks run, and apply filters to files.
    "diff.autoRefreshIndex": "false",
}
_NO_PROGRAMS = ("--no-pager", *(word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")))
#: Options of `git diff` and `git log`.
_PLAIN = ("--no-ext-diff", "--no-textconv")


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
    done = run_git(folder, *arguments, stdin=stdin)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise MlkeysError(f"git {arguments[0]} failed in {folder}: {reason}")
    return done.stdout, done.stderr


def run_git(folder: Path, subcommand: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git, and let the repository run nothing.

    A repository of others, which your user has unpacked, has settings of its own: monitors of files, hooks, filters,
    pagers, programs that compare, merge, verify or fetch.

    Raises:
        MlkeysError: git is not installed.
    """
    plain = _PLAIN if subcommand in ("diff", "log") else ()
    command = ["git", "-C", str(folder), *_NO_PROGRAMS, subcommand, *plain, *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)}
    try:
        return subprocess.run(command, input=stdin, capture_output=True, check=False, env={**kept, **_ENVIRONMENT})
    except OSError as problem:
        raise MlkeysError(f"git {subcommand} failed in {folder}: {problem.strerror}") from None


def contents_of(root: Path, blobs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes | str]]:
    """Each blob and its content. In place of a content that is not read, the reason."""
    checked = git(root, "cat-file", "--batch-check", stdin=_lines(blobs)) if blobs else b""
    batch: list[bytes] = []
    total = 0
    for blob, *_, size in (line.split(b" ") for line in checked.splitlines()):
        if size == b"missing":
            yield blob, NOT_FETCHED
            continue
        if int(size) > LARGEST:
            yield blob, TOO_LARGE
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
