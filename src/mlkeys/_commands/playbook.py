# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs playbooks."""

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
from mlkeys._system.processes import ChildProcess, exit_status

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# One host's line of the play recap.
_RECAP = re.compile(r"\S+ +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+) ")

# What a module returns if the server's state cannot be changed as requested, in both of Ansible's result formats.
_REFUSED = re.compile(r"\brefused\"?: true\b")


@dataclass(slots=True)
class Run:
    """The result of a playbook. The counts are totals of all hosts.

    Attributes:
        refused: how many of the failures are about changes that no run can make.
        output: what it printed, unless that was shown at once.
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
        """Whether it failed only for changes that no run can make."""
        return self.status != 0 and self.refused == self.failed > 0 and not self.unreachable

    def count(self, line: str) -> None:
        """Count a line of output, if it is part of the recap or a refusal."""
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
        generated: whether the project is generated, so that its own configuration is used and no other.
        extra: further environment variables.
        show: where to show the output. None to collect it, and to drop the errors.

    Raises:
        MlkeysError: it cannot be run.
        SystemExit: a signal stopped it. Ansible had the time to end by itself.
    """
    argv = [_tool("ansible-playbook"), playbook, *arguments]
    given = {**os.environ, **(extra or {})}
    environment = _environment(given, coloured=show is not None and show.isatty(), generated=generated)
    errors = subprocess.DEVNULL if show is None else None
    done, kept, start = Run(), [], time.monotonic()
    try:
        with (
            ChildProcess() as child,
            child.running(argv, environment, cwd=folder, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            for line in process.stdout or ():
                done.count(line)
                if show is None:
                    kept.append(line)
                else:
                    show.write(line)
                    show.flush()
    except OSError as problem:
        raise MlkeysError(f"{argv[0]} cannot be run: {problem.strerror}.") from None
    if child.received is not None:
        sys.exit(128 + child.received)
    done.status, done.seconds = exit_status(process.returncode), time.monotonic() - start
    done.output = "".join(kept)
    return done


def _environment(environ: Mapping[str, str], *, coloured: bool, generated: bool) -> dict[str, str]:
    # The output of a generated playbook must not end up in a log file.
    left_out = ("ANSIBLE_CONFIG", "ANSIBLE_LOG_PATH") if generated else ()
    kept = {name: value for name, value in environ.items() if name not in left_out}
    # Ansible writes to a pipe, but its output may be shown on a terminal.
    return {**kept, **({"ANSIBLE_FORCE_COLOR": "1"} if coloured else {"ANSIBLE_NOCOLOR": "1"})}


def _tool(name: str) -> str:
    """A program from the environment of mlkeys, or else from the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MlkeysError(f"{name} is not installed: pip install ansible-core")
    return found
