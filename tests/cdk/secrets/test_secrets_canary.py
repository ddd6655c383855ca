# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A planted secret is in the memory of its program, and not in arguments, files, core dumps or other environments."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdk.secrets.conftest import VALUES, command_line
from tests.support.canary import Watcher, leaking_files, leaks

# What a program that waits has of a secret, and how it ends: as one that crashed.
WAIT = "import os, sys; print(len({value}), flush=True); sys.stdin.readline(); os.abort()"
PROGRAMS = {
    "run": command_line(["run", "--", sys.executable, "-c", WAIT.format(value="os.environ['OPENAI_API_KEY']")]),
    "run --file": command_line(
        [
            "run",
            "--file",
            "openai_api_key=F",
            "--",
            sys.executable,
            "-c",
            WAIT.format(value="open(os.environ['F']).read()"),
        ]
    ),
    "run --watch": command_line(
        ["run", "--watch", "--", sys.executable, "-c", WAIT.format(value="os.environ['OPENAI_API_KEY']")]
    ),
    "runtime": [
        *(sys.executable, "-c"),
        "from mlkeys.runtime import secrets; key = secrets()['openai_api_key']; " + WAIT.format(value="key"),
    ],
}


@contextlib.contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in this folder, which may leave core files of any size there."""

    allowing = ["sh", "-c", 'ulimit -c "$(ulimit -Hc)"; exec "$@"', "sh", *command]
    pipe = subprocess.PIPE
    with subprocess.Popen(allowing, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def dumped(process: int) -> tuple[str, str]:
    """The largest core file that a process may leave, and the parts of its memory that any core dump would have."""
    limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
    (size,) = [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")]
    return size, Path(f"/proc/{process}/coredump_filter").read_text(encoding="ascii").strip("0\n")


def family(process: int) -> list[int]:
    """A process and those that it started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    return [process, *(one for child in children for one in family(int(child)))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_alone_has_its_secret(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(file.parent))
    with started(PROGRAMS[name], file.parent) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().strip() == str(len(VALUES["openai_api_key"])).encode()
        processes = family(process.pid)
        for one in processes:
            assert leaks(Path(f"/proc/{one}/cmdline").read_bytes(), VALUES) == set()
        with_secret = [one for one in processes if leaks(Path(f"/proc/{one}/environ").read_bytes(), VALUES)]
        # The program is the last one; that which watches beside it is the first.
        assert with_secret == ([] if name == "runtime" else processes[-1:])
        assert dumped(processes[-1]) == ("0", "")
        assert leaks(Path("/proc/self/environ").read_bytes(), VALUES) == set()
        assert not [value for value in VALUES.values() if value in os.environ.values()]
        printed = b"".join(process.communicate(b"\n", timeout=30))
    assert leaks(printed, VALUES) == set()
    assert leaking_files(file.parent, VALUES) == set()


def test_commands_on_a_file_leave_nothing(file: Path, tmp_path: Path) -> None:
    planted = {**VALUES, "new": "sk-planted-canary-2Rw"}
    root = tmp_path / "root"
    root.mkdir()
    stored = file.rename(root / file.name)
    watcher = Watcher((root,), planted)
    environment = {**os.environ, "TMPDIR": str(root), "HOME": str(root), "EDITOR": f"{sys.executable} -c pass"}
    source = tmp_path / ".env"
    source.write_text(f"NEW={planted['new']}\n")
    # Without a right to encrypt: the value must not be in the error either.
    for arguments, typed, status in (
        (["set", stored.name, "new"], planted["new"], 1),
        (["show", stored.name], "", 0),
        (["check", stored.name], "", 0),
        (["edit", stored.name], "", 0),
        (["import", "dotenv", str(source), "--to", stored.name], "", 1),
    ):
        with watcher.watching():
            done = subprocess.run(
                command_line(arguments),
                input=typed.encode(),
                capture_output=True,
                check=False,
                cwd=root,
                env=environment,
            )
        assert done.returncode == status, done.stderr
        assert leaks(done.stdout + done.stderr, planted) == set()
    assert watcher.leaks == set()
    assert leaking_files(root, planted) == set()
