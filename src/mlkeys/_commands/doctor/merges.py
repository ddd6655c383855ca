# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether Git merges encrypted vars files entry by entry, and which it could not merge."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkeys._commands.doctor.check import Check
from mlkeys._commands.vars_file.merge_driver import ATTRIBUTES, attributed, is_defined
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._shared._files.replacing import MOST_BYTES
from mlkeys._shared.merge_conflicts import DEFINE, conflict_in
from mlkeys._shared.vars_files import VARS_FILE_SUFFIXES

_NAME = "merge driver"
_TEXT = "Git merges encrypted vars files line by line"


def conflicts(folder: Path, files: Sequence[str]) -> Iterator[Check]:
    """Files with two sides of a merge, of which Ansible says no more than that they are not YAML."""
    for file in files:
        with contextlib.suppress(OSError), opened_to_read(str(folder / file)) as stream:
            if problem := conflict_in(stream.read(MOST_BYTES), file):
                yield Check("merge conflict", "wrong", problem)


def check(folder: Path, files: Sequence[str]) -> Iterator[Check]:
    """Compare the attributes of files with the settings of the clone.

    Args:
        files: the encrypted vars files in the folder.
    """
    has_driver = is_defined(folder)
    if has_driver is None:
        return
    # A file that is to come has the attributes, too.
    paths = list(files) or [f"keys{suffix}" for suffix in VARS_FILE_SUFFIXES]
    chosen = attributed(folder, paths)
    if chosen and not has_driver:
        yield Check(_NAME, "remark", f"{ATTRIBUTES} names mlkeys, and this clone does not define it: {_TEXT}", DEFINE)
    elif has_driver and len(chosen) < len(paths):
        left = next(path for path in paths if path not in chosen)
        text = f"this clone defines mlkeys, and {ATTRIBUTES} does not name it for {left}: {_TEXT}"
        yield Check(_NAME, "remark", text, "mlkeys init --ansible")
    elif chosen:
        yield Check(_NAME, "ok", "Git merges encrypted vars files entry by entry")
