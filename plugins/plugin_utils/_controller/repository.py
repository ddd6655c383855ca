# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else a Git repository or a folder holds than what Ansible runs. **Private** to the collection."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Iterable, Iterator

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import COMPRESSED, OUTPUT, Unread
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import scan_file
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outputs import (
    TO_OUTPUT,
    identity,
    outputs_of_run,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import is_temporary
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import is_read_by_ansible
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import (
    PLAYBOOKS,
    above,
    beside,
    inventory_folders,
    texts_beside,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import names_of_key

# Of other people, or made by programs. What starts with a dot is left out as well.
_OF_OTHERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
# A repository may be a home folder, or hold data of any size.
_MOST_FOLDERS = 20_000
# These hold the settings and the data of all programs.
_OF_SYSTEM = frozenset({"/etc", "/usr", "/var"})

#: The kind of a compressed file that nothing but its repository or folder brings into a run.
PACKED = "packed"


def searched_as_a_whole(sources: Iterable[str]) -> list[str]:
    """The Git repositories that hold inventories and playbooks, and the folders of those in no repository, each once.

    A folder in another one of them is left out, as far as the search of that one comes there.
    """
    found: dict[str, None] = {}
    for source in sources:
        folder = _repository(source) or _folder(source)
        if folder and not (PLAYBOOKS + os.sep).startswith(folder + os.sep):
            found[folder] = None
    return [one for one in found if not any(_comes_to(one, top) for top in found if top != one)]


def _repository(source: str) -> str:
    folder = os.path.realpath(source)
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
    return "" if os.path.dirname(folder) == folder else folder


def _folder(source: str) -> str:
    """The folder of a source, unless it holds much else than a project."""
    if not os.path.exists(source):
        return ""
    real = os.path.realpath(source)
    folder = real if os.path.isdir(real) else os.path.dirname(real)
    home = os.path.realpath(os.path.expanduser("~"))
    if folder in _OF_SYSTEM or (home + os.sep).startswith(folder.rstrip(os.sep) + os.sep):
        return ""
    # Everybody writes there, as in /tmp.
    return "" if os.stat(folder).st_mode & stat.S_ISVTX else folder


def _comes_to(folder: str, top: str) -> bool:
    """Whether the search of a folder comes to one in it."""
    if not folder.startswith(top + os.sep):
        return False
    while folder != top:
        parent, name = os.path.split(folder)
        if not _is_entered(parent, name):
            return False
        folder = parent
    return True


@dataclass(frozen=True)
class Others:
    """Files of a repository or a folder that a run does not read otherwise. Real paths.

    Attributes:
        vars_files: the encrypted vars files among them, with engine and key.
        texts: the others, as far as there are ciphertexts in them.
    """

    vars_files: dict[str, tuple[str, str]]
    texts: list[str]


class Known:
    """Places that are read already, by this run or by others."""

    def __init__(self, paths: Iterable[str], within: Iterable[str]) -> None:
        """
        Args:
            within: files, and folders of which everything is read.
        """
        self._paths = frozenset(paths)
        self._within = frozenset(within)

    def __contains__(self, path: str) -> bool:
        if path in self._paths:
            return True
        while path not in self._within:
            parent = os.path.dirname(path)
            if parent == path:
                return False
            path = parent
        return True


def read_by_others(sources: Iterable[str]) -> Known:
    """What the runs of other inventories and programs read.

    Args:
        sources: their inventories, programs, and folders.
    """
    given = list(sources)
    around = above(given)
    inner = [place for one in given for place in inventory_folders(one)]
    every = [*given, *inner, *around]
    # What cannot be read there is a matter of their own.
    paths = [*beside(every, _leave), *texts_beside(every, _leave)]
    return Known(map(os.path.realpath, paths), (os.path.realpath(one) for one in given if os.path.isdir(one)))


def others_in(top: str, known: Iterable[Known], problem: vars_places.Problem) -> Others:
    """What a Git repository or a folder holds besides. No links are followed, and no submodules.

    Compressed files among the rest are named together: most of them are of no concern.
    """
    read, outputs = list(known), outputs_of_run()
    vars_files: dict[str, tuple[str, str]] = {}
    texts: list[str] = []
    packed: list[str] = []
    for path in _files(top, problem):
        if any(path in one for one in read):
            continue
        if is_read_by_ansible(os.path.basename(path)):
            if os.path.isfile(path):
                vars_files.update(_with_key(path, problem))
        elif outputs and identity(path) in outputs:
            problem(vars_places.NotSearched(path, TO_OUTPUT, OUTPUT))
        elif _is_regular(path):
            result = scan_file(path, most=1)
            if result.found:
                texts.append(path)
            elif result.unread is not None:
                _note(result.unread, packed, problem)
    if packed:
        named = f"{os.path.relpath(packed[0], top)}{f' and {len(packed) - 1} more' if len(packed) > 1 else ''}"
        problem(vars_places.NotSearched(top, f"compressed files elsewhere in the project: {named}", PACKED))
    return Others(vars_files, texts)


def _with_key(path: str, problem: vars_places.Problem) -> dict[str, tuple[str, str]]:
    try:
        return {path: names_of_key(path)}
    except TransitError as error:
        problem(vars_places.NotSearched(path, error.message.rstrip("."), "failed"))
        return {}


def _note(unread: Unread, packed: list[str], problem: vars_places.Problem) -> None:
    if unread.kind == COMPRESSED:
        packed.append(unread.path)
    else:
        problem(vars_places.NotSearched(unread.path, unread.reason, "failed"))


def _files(top: str, problem: vars_places.Problem) -> Iterator[str]:
    for number, (place, folders, names) in enumerate(os.walk(top, onerror=problem)):
        if number == _MOST_FOLDERS:
            reason = f"it has more than {_MOST_FOLDERS} folders: not all were searched for ciphertexts"
            problem(vars_places.NotSearched(top, reason, "failed"))
            return
        folders[:] = sorted(name for name in folders if _is_entered(place, name))
        yield from (os.path.join(place, name) for name in sorted(names))


def _is_entered(place: str, name: str) -> bool:
    if name.startswith(".") or name in _OF_OTHERS:
        return False
    return not any(os.path.lexists(os.path.join(place, name, mark)) for mark in (".git", "pyvenv.cfg"))


def _is_regular(path: str) -> bool:
    """Whether it is a file that a run has finished writing, and no link."""
    if is_temporary(os.path.basename(path)):
        return False
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        # It was there when its folder was listed.
        return False


def _leave(_error: OSError) -> None:
    return None
