# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs playbooks of generated projects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from mlkeys._errors import MlkeysError
from mlkeys._system.processes import Attendance, exit_status

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# A host's line of the recap.
_RECAP = re.compile(r"\S+ +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+) ")

# What a module answers when the server's state cannot become what was asked, in either of Ansible's formats of results.
_REFUSED = re.compile(r"\brefused\"?: true\b")


@dataclass(slots=True)
class Run:
    """A playbook that ran. The counts are those of all its hosts together.

    Attributes:
        refused: how many of the failures are about what no run can change.
        output: what it printed, unless that was shown as it came.
    """

    status: int = 0
    seconds: float = 0.0
    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failed: int = 0
    refused: int = 0
    output: str = field(default="", repr=False)

    @property
    def only_refused(self) -> bool:
        """Whether it failed for nothing else than what no run can change."""
        return self.status != 0 and self.refused == self.failed > 0 and not self.unreachable

    def count(self, line: str) -> None:
        """Take what a line of output says, if it is one of the recap or of a refusal."""
        self.refused += _REFUSED.search(line) is not None
        if (found := _RECAP.match(_COLOUR.sub("", line))) is not None:
            ok, changed, unreachable, failed = map(int, found.groups())
            self.ok += ok
            self.changed += changed
            self.unreachable += unreachable
            self.failed += failed


def ansible_playbook(
    folder: Path,
    playbook: str,
    arguments: Sequence[str] = (),
    *,
    show: TextIO | None,
    generated: bool = True,
    extra: Mapping[str, str] | None = None,
) -> Run:
    """Run a playbook of a project.

    Args:
        generated: whether the project is ours, so that its own configuration counts and no other.
        extra: variables of the environment that it gets beside ours.
        show: where to what it prints is shown as it comes. None for nowhere; then its errors are not shown either.

    Raises:
        MlkeysError: it cannot be run.
        SystemExit: a signal stopped it. It was left the time to end by itself.
    """
    argv = [_tool("ansible-playbook"), playbook, *arguments]
    given = {**os.environ, **(extra or {})}
    environment = _environment(given, coloured=show is not None and show.isatty(), generated=generated)
    errors = subprocess.DEVNULL if show is None else None
    done, kept, start = Run(), [], time.monotonic()
    try:
        with (
            Attendance() as attendance,
            attendance.running(argv, environment, cwd=folder, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            for line in process.stdout or ():
                done.count(line)
                if show is None:
                    kept.append(line)
                else:
                    show.write(line)
                    show.flush()
    except OSError as problem:
        reason = problem.strerror
    else:
        if attendance.received is not None:
            sys.exit(128 + attendance.received)
        done.status, done.seconds, done.output = (
            exit_status(process.returncode),
            time.monotonic() - start,
            "".join(kept),
        )
        return done
    raise MlkeysError(f"{argv[0]} cannot be run: {reason}.")


def _environment(environ: Mapping[str, str], *, coloured: bool, generated: bool) -> dict[str, str]:
    # No log file may keep what a playbook of ours prints.
    left_out = ("ANSIBLE_CONFIG", "ANSIBLE_LOG_PATH") if generated else ()
    kept = {name: value for name, value in environ.items() if name not in left_out}
    # It writes to us, but we may write to a terminal.
    return {**kept, **({"ANSIBLE_FORCE_COLOR": "1"} if coloured else {"ANSIBLE_NOCOLOR": "1"})}


def _tool(name: str) -> str:
    """A program of the environment that mlkeys is installed in, else of the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MlkeysError(f"{name} is not installed: pip install ansible-core")
    return found
