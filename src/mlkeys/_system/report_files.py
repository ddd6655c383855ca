# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of reports: HTML pages, images and data that commands write. They replace earlier reports and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._system import replacing

#: How a report begins: with what its format begins with, and with its generator in a comment or a field of the format.
_REPORT = re.compile(
    rb"""(?:<!doctype html>|<svg |flowchart |\{).{0,400}?generator(?:" content=|":)?[: ]*"?mlkeys (?:graph|status)\b""",
    re.DOTALL,
)
_HEAD_BYTES = 512


def check_folder(path: Path) -> None:
    """Check that the folder of a file exists.

    Raises:
        MlkeysError: it does not.
    """
    if not path.parent.is_dir():
        raise MlkeysError(f"{path} cannot be written: the folder {path.parent} does not exist.")


def check(path: Path) -> None:
    """Check that a report may be written to a path.

    Raises:
        MlkeysError: the folder does not exist, or the file holds something else, or cannot be read.
    """
    check_folder(path)
    if replacing.OPEN_ALREADY.fullmatch(str(path)) or not path.is_file():
        return
    try:
        with opened_to_read(str(path)) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as problem:
        raise MlkeysError(f"{path} cannot be replaced: {problem.strerror}.") from None
    if head and not _REPORT.match(head):
        raise MlkeysError(
            f"{path} is not a report of mlkeys and is not replaced: name another file, or remove this one first."
        )


def write(path: Path, text: str) -> None:
    """Write a report.

    Raises:
        MlkeysError: it cannot be written, or the file holds something else.
    """
    check(path)
    try:
        replacing.write(path, text)
    except OSError as problem:
        raise MlkeysError(f"{path} cannot be written: {problem.strerror}.") from None
