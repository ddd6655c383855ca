# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether there is a terminal, and whose Ctrl-C it is."""

from __future__ import annotations

import os


def in_foreground() -> bool:
    """Whether a terminal counts this process among those that Ctrl-C is for."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
