# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The files that a run writes its output to, such as its log. **Private** to the collection.

Rewritten, one would be another file than the one that the run goes on to write.
"""

from __future__ import annotations

import os
import stat

#: Why such a file is not searched.
TO_OUTPUT = "this run writes its output to it"


def outputs_of_run() -> set[tuple[int, int]]:
    """The files that this process and those that started it write their output to, as far as the system shows it."""
    found = set()
    process = os.getpid()
    while process > 1:
        found |= {one for one in (identity(f"/proc/{process}/fd/{number}") for number in (1, 2)) if one is not None}
        process = _parent(process)
    return found


def identity(path: str) -> tuple[int, int] | None:
    """What a file is called by the system, ``None`` if it is not a regular file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _parent(process: int) -> int:
    """The process that started another, 0 if the system does not show it."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # The name in brackets may hold anything.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
