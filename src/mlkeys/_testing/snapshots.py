# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots of whole projects with syrupy: one readable file for each."""

from __future__ import annotations

import re
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from mlkeys._testing.project import Project

#: They repeat what other files have.
_LEFT_OUT = ("manifest.json", "tree.json")
_LINE = re.compile(r"(\.py):\d+")


class ProjectSnapshot(SingleFileSnapshotExtension):
    """The files of a project as one text, without the lines of the program that they come from."""

    _write_mode = WriteMode.TEXT
    _file_extension = file_extension = "txt"

    def serialize(self, data: Any, **_options: Any) -> str:
        if not isinstance(data, Project):
            raise TypeError(f"mlkeys_snapshot compares results of mlkeys.testing.synth(), not a {type(data).__name__}")
        files = {name: _LINE.sub(r"\1", text) for name, text in sorted(data.files.items()) if name not in _LEFT_OUT}
        return "".join(f"======== {name}\n{text}" for name, text in files.items())
