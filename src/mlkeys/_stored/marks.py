# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What differs when a file changes, for programs and commands that notice it."""

from __future__ import annotations

from pathlib import Path

#: Of a file: the time of its last change in nanoseconds, its size in bytes, and its inode.
Mark = tuple[int, int, int]


def mark_of(path: Path) -> Mark | None:
    """The mark of a file. One that is just being replaced, or may not be looked at, has none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
