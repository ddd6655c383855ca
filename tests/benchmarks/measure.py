# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure whole processes: time, peak memory, and the requests that the server saw."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import Bao


@dataclass(frozen=True)
class Run:
    """One process from start to end.

    Attributes:
        seconds: wall time.
        mebibytes: peak resident memory of its largest process.
        requests: what reached the server, by kind: login, transit, other.
    """

    seconds: float
    mebibytes: float
    requests: Counter[str] = field(default_factory=Counter)


# A process inherits the memory figure of the process that forks it, so a small one must fork. Prints KiB to stderr.
_LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stderr=subprocess.STDOUT)
status, usage = os.wait4(child.pid, 0)[1:]
sys.stderr.write(str(usage.ru_maxrss))
sys.stderr.flush()
os._exit(os.waitstatus_to_exitcode(status) and 1)
"""


class CommandFailedError(Exception):
    """A measured command failed, so its time is meaningless."""


def process(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, bao: Bao) -> Run:
    """Run a command to its end."""
    seen = bao.audit_log.stat().st_size
    log = folder / "output.log"
    begin = time.perf_counter()
    with log.open("wb") as output:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
            text=True,
        )
    seconds = time.perf_counter() - begin
    if launched.returncode:
        raise CommandFailedError(f"{' '.join(command)}\n{log.read_text(errors='replace')[-3000:]}")
    return Run(seconds, int(launched.stderr) / 1024, _kinds(bao, seen))


def cpu_seconds(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> float:
    """Run a command to its end, and return the processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(runs: Sequence[Run]) -> Run:
    """Return the run with the median time."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def repeated(times: int, once: Callable[[], Run]) -> Run:
    """Return the median of several runs, after one that only warms caches."""
    once()
    return median([once() for _time in range(times)])


def seconds_of(work: Callable[[], object], times: int = 3) -> float:
    """Return the median wall time of a call in this process."""
    taken = []
    for _time in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _kinds(bao: Bao, seen: int) -> Counter[str]:
    kinds: Counter[str] = Counter()
    with bao.audit_log.open("rb") as log:
        log.seek(seen)
        entries = [json.loads(line) for line in log]
    for entry in entries:
        if entry["type"] != "request":
            continue
        path = entry["request"]["path"]
        login = path.startswith("auth/") and path.endswith("/login")
        kinds["login" if login else "transit" if path.startswith("transit/") else "other"] += 1
    return kinds
