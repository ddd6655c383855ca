# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user of the machine, in whose folder root writes, and who wants root's files for that."""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ANOTHER = 12345
# Anyone who is another user from the start cannot read this checkout.
AS_ANOTHER = f"os.setgroups([]); os.setgid({ANOTHER}); os.setuid({ANOTHER})"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


def give_rights(path: Path, kind: str) -> None:
    """Let that user read a file or folder (access), or all that is made in a folder later (default)."""
    read, write, nobody = 4, 6, 0xFFFFFFFF
    entries = [(0x01, write, nobody), (0x02, read, ANOTHER), (0x04, 0, nobody), (0x10, read, nobody), (0x20, 0, nobody)]
    rights = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, f"system.posix_acl_{kind}", rights)
    except OSError:
        pytest.skip("this file system has no access control lists")


RACE = f"""
import os
{AS_ANOTHER}
victim = "../victim"
ways = [
    lambda name: os.symlink(victim, name),
    lambda name: os.link(victim, name, follow_symlinks=False),
    lambda name: os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644)),
]
known, expected, turn = set(), set(), 0
print("ready", flush=True)
while True:
    for name in expected:
        # Where a writer uses a name again, something is in the place of its file before that.
        try:
            os.symlink(victim, name)
        except OSError:
            continue
    for name in os.listdir():
        if name in known or name.endswith(".away"):
            continue
        if name != "m.env":
            known.add(name)
        if name[0] == "." and len(expected) < 3:
            expected.add(name)
        turn += 1
        try:
            os.rename(name, name + ".away")
            ways[turn % len(ways)](name)
        except OSError:
            continue
"""


@contextmanager
def racing(folder: Path) -> Iterator[None]:
    """A process of the folder's owner that puts other things in the place of every file that it sees there."""
    with subprocess.Popen([sys.executable, "-c", RACE], cwd=folder, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def replaced_once_tested(held: Path, other: Path) -> str:
    """What makes a shell script find another file by a name, once it has tested which kind of file that is."""
    return f"""
test() {{
    command test "$@"
    set -- "$?" "$@"
    case "$*" in
        *" -"[ef]" "*/{held.name}) mv -fT {shlex.quote(str(other))} {shlex.quote(str(held))} 2>/dev/null ;;
    esac
    return "$1"
}}
"""
