# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of scripts find on the path: programs of this machine, but none that starts services on it."""

from __future__ import annotations

from pathlib import Path

_STARTERS = ("rc-", "openrc", "runsv", "sv", "s6-", "supervisor", "cron")


def without_starters(folder: Path) -> str:
    """Link the programs of this machine in a folder, which it makes, without supervisors and cron.

    Returns:
        The folder, for `PATH`.
    """
    folder.mkdir()
    for place in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if not program.name.startswith(_STARTERS) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)
