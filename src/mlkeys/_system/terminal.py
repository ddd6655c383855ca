# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The controlling terminal, and what is written for people beside a command's output."""

from __future__ import annotations

import io
import os
import sys


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


def notice(text: str, colour: str | None = None) -> None:
    """Write a line to standard error, if that can be written. A notice must not end what it is about."""
    import click  # noqa: PLC0415  programs with secrets may do without it

    try:
        click.secho(text, fg=colour, err=True)
    except OSError:
        # Its buffer keeps the line, which would fail again with the next one, and at the end. This one has no buffer.
        raw = io.FileIO(2, "w", closefd=False)
        sys.stderr = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
