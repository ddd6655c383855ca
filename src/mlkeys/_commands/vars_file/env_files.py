# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The `.env` files whose variables Docker Compose gives to services (`env_file:`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkeys._lint.scalars import scalars_in
from mlkeys._system.worktree import Listed, Looked, Worktree

_ENDINGS = (".yml", ".yaml")
_KEY = "env_file"
# Folders above a file, if it is in no work tree.
_HIGHEST = 3


def named_by_compose(tree: Worktree, paths: Iterable[str]) -> dict[str, str]:
    """For each of these files that a file of Compose names, that file. Those of the tree count, and those above."""
    env_files = {os.path.realpath(path): path for path in paths if ".env" in Path(path).name}
    if not env_files:
        return {}
    found: dict[str, str] = {}
    for place in dict.fromkeys([*_listed(tree), *_above(env_files)]):
        for name in _named_in(tree, place):
            folder = os.path.realpath(Path(place).parent)
            for real, path in env_files.items():
                # What is not known before Compose runs may be any file there.
                unknown = "$" in name and real.startswith(f"{folder}/")
                if unknown or real == os.path.realpath(Path(folder, name)):
                    found.setdefault(path, os.path.relpath(place))
    return found


def _listed(tree: Worktree) -> Iterator[str]:
    return (one.path for one in tree.listed() if one.path.endswith(_ENDINGS))


def _above(files: Iterable[str]) -> Iterator[str]:
    """Files of YAML in the folders of files and above, within their work tree."""
    for folder in dict.fromkeys(parent for file in files for parent in _folders(Path(file))):
        try:
            yield from (str(path) for path in sorted(folder.iterdir()) if path.name.endswith(_ENDINGS))
        except OSError:
            # What cannot be listed is not a project of the user.
            continue


def _folders(file: Path) -> Iterator[Path]:
    for number, folder in enumerate(file.parents):
        yield folder
        if number == _HIGHEST or (folder / ".git").exists():
            return


def _named_in(tree: Worktree, place: str) -> list[str]:
    """The files that `env_file:` names in a file, however it is written there."""
    looked = tree.look(Listed(place, place, named=True))
    if not isinstance(looked, Looked) or _KEY not in looked.text:
        return []
    # A mapping there has the name as its path.
    return [one.value for one in scalars_in(looked.text) or () if one.key in (_KEY, "path") and not one.is_name]
