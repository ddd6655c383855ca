# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups of this machine, below which the systemd of a host makes its own."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02


class ControlGroupError(Exception):
    """This machine has no control groups that a host could use."""


def make(name: str) -> Path:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _device, place, kind, *_rest = line.split()
        if kind == "cgroup2":
            group = Path(place, f"light-{name}-{os.getpid()}")
            group.mkdir(exist_ok=True)
            return group
    raise ControlGroupError("systemd needs cgroups of version 2, and this machine has none mounted.")


def remove(group: Path) -> None:
    """With everything below it. The kernel lets go of a group a moment after its last process has ended."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while group.exists() and time.monotonic() < deadline:
        for folder, _folders, _files in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(_POLL_SECONDS)
