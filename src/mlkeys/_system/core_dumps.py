# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Core dumps, which hold what a process has in its memory."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path


def turn_off(*, for_good: bool) -> None:
    """Let this process, and the programs that it becomes or starts, leave no memory in core dumps.

    Args:
        for_good: whether they may not allow files again.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else hard))
    # The limit is for files. A program that takes core dumps over gets none of the memory. Linux only.
    with contextlib.suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")
