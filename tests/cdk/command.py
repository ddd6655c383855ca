# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the command `mlkeys` as users do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.collection import collections_path

_COUNTS = re.compile(r"^(?:Plan|Deployed): (.*) in \d+\.\d s\.\r?$", re.MULTILINE)
_CHANGES = re.compile(r"(\d+) (?:to )?(?:create|change|revoke|delete)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Opening it makes it the controlling terminal of this session.
_ON_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.executable, [sys.executable, "-m", "mlkeys", *sys.argv[1:]])
"""


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path()), **(env or {})}


def mlkeys(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, status: int = 0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command and expect a status."""
    run = subprocess.run(
        [sys.executable, "-m", "mlkeys", *map(str, arguments)],
        cwd=cwd,
        env=_environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == status, f"{arguments} ended with {run.returncode}\n{run.stdout}\n{run.stderr}"
    assert run.stdout + run.stderr == plain(run.stdout + run.stderr), "colours without a terminal"
    return run


def mlkeys_on_terminal(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    answers: Mapping[str, str],
    once: Path | None = None,
    status: int = 0,
) -> str:
    """Run the command on a new terminal, answer its questions, and return all that the terminal shows.

    Args:
        once: a file that must exist before anything is answered.
    """
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _ON_TERMINAL, *arguments],
        cwd=cwd,
        env=_environment(env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown, waiting = "", dict(answers)
        # Linux reports the end of a terminal as an error.
        while (text := _read(ours)) is not None:
            shown += text
            for question in [question for question in waiting if question in shown]:
                while once is not None and not once.exists():
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(0.02)
                os.write(ours, f"{waiting.pop(question)}\n".encode())
    os.close(ours)
    assert process.returncode == status, shown
    assert not waiting, shown
    return shown


def _read(terminal: int) -> str | None:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        return None


def plain(shown: str) -> str:
    """Return the output of a terminal without colours."""
    return _COLOUR.sub("", shown)


def changes(output: str) -> int:
    """Return the number of changes in the last line of `mlkeys diff` or `deploy`."""
    (counts,) = _COUNTS.findall(plain(output))
    return sum(int(count) for count in _CHANGES.findall(counts))
