# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Findings about file permissions."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from mlkeys._lint.findings import EXECUTABLE, READABLE, WRITABLE, Finding, finding

_WRITE = stat.S_IWGRP | stat.S_IWOTH
_READ = stat.S_IRGRP | stat.S_IROTH
_EXECUTE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def mode_findings(
    path: str, mode: int, *, checked_out_as: int | None, encrypted: bool, secrets: bool
) -> Iterator[Finding]:
    """The findings for a mode.

    Args:
        checked_out_as: for a tracked file, the permissions that git gives to files here, which nobody chose: git
            stores only whether a file is executable. None for other files.
        encrypted: whether it is an encrypted vars file.
        secrets: whether it contains plaintext secrets.
    """
    chosen = mode & ~(checked_out_as or 0)
    shown = f"{stat.S_IMODE(mode):04o}"
    if encrypted and chosen & _WRITE:
        yield finding(WRITABLE, path, f"mode {shown} lets {_who(chosen & _WRITE)} write this encrypted vars file")
    if encrypted and mode & _EXECUTE:
        yield finding(EXECUTABLE, path, f"mode {shown} makes this encrypted vars file executable")
    if secrets and chosen & _READ:
        yield finding(READABLE, path, f"mode {shown} lets {_who(chosen & _READ)} read plaintext secrets")


def _who(bits: int) -> str:
    return "everybody" if bits & (stat.S_IWOTH | stat.S_IROTH) else "the group"
