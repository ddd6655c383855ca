# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The controlling terminal."""

from __future__ import annotations

import os


def in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, and so receives its Ctrl-C."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
