# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The configurations of Ansible beside encrypted vars files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._lint.enabled import setting_in
from mlkeys._system import replacing
from mlkeys._system.worktree import Skipped

CONFIGURATION = "ansible.cfg"

# Ansible reads variables of hosts and groups in these.
_FOLDERS = {"group_vars", "host_vars"}


@dataclass(slots=True)
class Configurations:
    """The configurations that are nearest to files, by their paths.

    Attributes:
        texts: their texts.
        files: the files for which each of them is the nearest.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    unread: list[Skipped] = field(default_factory=list)


def configurations(files: Iterable[str]) -> Configurations:
    """The `ansible.cfg` in the folder of each file, or in the nearest folder above within its work tree."""
    found = Configurations()
    for file in map(Path, files):
        if not _FOLDERS & set(file.parts[:-1]):
            continue
        path = next((place for place in _places(file) if place.is_file()), None)
        if path is not None:
            found.files.setdefault(str(path), []).append(str(file))
    for path in map(Path, found.files):
        try:
            text = replacing.read(path) or ""
            setting_in(text)
            found.texts[str(path)] = text
        except MlkeysError:
            found.unread.append(Skipped(str(path), "it cannot be read"))
        except ValueError as problem:
            found.unread.append(Skipped(str(path), str(problem)))
    return found


def _places(file: Path) -> Iterator[Path]:
    for folder in file.parents:
        yield folder / CONFIGURATION
        if (folder / ".git").exists():
            return
