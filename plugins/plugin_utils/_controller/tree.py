# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a repository or a folder, but for what tools generate. **Private** to the collection."""

from __future__ import annotations

import os
import stat
from typing import Iterator

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import (
    VERSION_CONTROL_FOLDERS,
    NotSearched,
    Problem,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import PLAYBOOKS

# Tools give these names to what they generate. docs/guides/rotation.md lists them.
_GENERATED = frozenset(
    {
        *VERSION_CONTROL_FOLDERS,
        *("__pycache__", "node_modules", ".nox", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
    }
)
# A cache says so in a file with this name that begins like this: https://bford.info/cachedir/
_CACHE, _SIGNATURE = "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55"
# A repository may be a home folder, or hold data of any size.
_MOST_FOLDERS = 20_000
# These hold the settings and the data of all programs.
_OF_SYSTEM = frozenset({"/etc", "/usr", "/var"})
_OF_KERNEL = ("/dev", "/proc", "/sys")
# The collection itself is nobody's project. It may be installed in one.
_COLLECTION = os.path.dirname(PLAYBOOKS)


def holds_much_else(folder: str) -> bool:
    """Whether a folder holds much else than a project. Its real path."""
    home = os.path.realpath(os.path.expanduser("~"))
    if folder in _OF_SYSTEM or (home + os.sep).startswith(folder.rstrip(os.sep) + os.sep):
        return True
    # Everybody writes there, as in /tmp.
    return bool(os.stat(folder).st_mode & stat.S_ISVTX)


def is_generated(folder: str, name: str) -> bool:
    """Whether a folder in another one is made by a tool, and can be made again. Nobody keeps secrets in it."""
    path = os.path.join(folder, name)
    if name in _GENERATED or path == _COLLECTION or os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        return True
    if name == "providers" and os.path.basename(folder) == ".terraform":
        return True
    # Galaxy writes the file beside the tests of a collection.
    return _is_cache(path) or (name == "tests" and os.path.isfile(os.path.join(folder, "FILES.json")))


def _is_cache(folder: str) -> bool:
    try:
        with open(os.path.join(folder, _CACHE), "rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def files_in(top: str, problem: Problem) -> Iterator[str]:
    """The regular files in a folder and the folders in it, each once, by their real paths.

    Links are followed, also where they lead out of it.

    Args:
        top: a real path.
        problem: gets what cannot be listed, and links that are not followed.
    """
    listed: dict[tuple[int, int], str] = {}
    linked: dict[str, None] = {}
    pending = [top]
    while pending:
        folder = pending.pop()
        inner = _listed(folder, listed, problem)
        if len(listed) > _MOST_FOLDERS:
            reason = f"it has more than {_MOST_FOLDERS} folders: not all were searched for ciphertexts"
            problem(NotSearched(top, reason, "failed"))
            return
        folders = []
        for entry in inner:
            if entry.is_symlink():
                target, is_folder = _target(entry.path, top, problem)
                if is_folder:
                    folders.append(target)
                elif target:
                    linked[target] = None
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path
        pending += reversed([path for path in folders if not is_generated(*os.path.split(path))])
    # What is in one of the folders was there.
    places = set(listed.values())
    yield from (path for path in linked if os.path.dirname(path) not in places)


def _listed(folder: str, listed: dict[tuple[int, int], str], problem: Problem) -> list[os.DirEntry[str]]:
    """What is in a folder, nothing if it is in another place as well, and was listed there."""
    try:
        status = os.stat(folder)
        number = (status.st_dev, status.st_ino)
        if number in listed:
            return []
        listed[number] = folder
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        problem(error)
        return []


def _target(link: str, top: str, problem: Problem) -> tuple[str, bool]:
    """The real path where a link leads, and whether it is a folder; empty where there is nothing to read."""
    target = os.path.realpath(link)
    try:
        mode = os.stat(target).st_mode
        if stat.S_ISREG(mode):
            return target, False
        if not stat.S_ISDIR(mode):
            return "", False
        is_above = (top + os.sep).startswith(target.rstrip(os.sep) + os.sep) and target != top
        is_of_kernel = f"{target}{os.sep}".startswith(tuple(f"{one}{os.sep}" for one in _OF_KERNEL))
        if not (is_above or is_of_kernel or holds_much_else(target)):
            return target, True
        problem(
            NotSearched(link, f"a link to {target}, which holds more than the project, and is not searched", "failed")
        )
    except (FileNotFoundError, NotADirectoryError):
        problem(NotSearched(link, f"a link to {os.readlink(link)}, which does not exist", "dangling"))
    except OSError as error:
        # A link that leads back to itself, or to where nobody may look.
        problem(NotSearched(link, error.strerror or "a link that cannot be followed", "failed"))
    return "", False
