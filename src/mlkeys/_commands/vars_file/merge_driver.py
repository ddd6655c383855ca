# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What makes Git merge encrypted vars files by `mlkeys merge`: attributes of files, and a driver in each clone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._shared.merge_conflicts import SETTING
from mlkeys._shared.vars_files import VARS_FILE_SUFFIXES
from mlkeys._system.git import git

ATTRIBUTES = ".gitattributes"
#: The lines of that file.
MERGED = "".join(f"*{suffix} merge=mlkeys\n" for suffix in VARS_FILE_SUFFIXES)


def is_defined(folder: Path) -> bool | None:
    """Whether a work tree has the driver; ``None`` where Git has no work tree, or is not installed."""
    try:
        git(folder, "rev-parse", "--show-toplevel")
    except MlkeysError:
        return None
    # A setting that is not there makes Git fail.
    with contextlib.suppress(MlkeysError):
        return bool(git(folder, "config", "--get", SETTING).strip())
    return False


def attributed(folder: Path, paths: Sequence[str]) -> list[str]:
    """Those of a work tree's files that Git merges with the driver.

    Raises:
        MlkeysError: Git failed.
    """
    fields = git(folder, "check-attr", "-z", "merge", "--", *paths).split(b"\0")
    return [path.decode() for path, value in zip(fields[::3], fields[2::3], strict=False) if value == b"mlkeys"]
