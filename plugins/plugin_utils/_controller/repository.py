# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else a Git repository or a folder holds than what Ansible runs. **Private** to the collection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterable

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    COMPRESSED,
    MISSING,
    OUTPUT,
    Unread,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import scan_file
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outputs import (
    TO_OUTPUT,
    identity,
    outputs_of_run,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import is_temporary
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import is_vars_file_name
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ansible_vault import VaultedFiles
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import (
    PLAYBOOKS,
    above,
    beside,
    inventory_folders,
    texts_beside,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.tree import (
    files_in,
    holds_much_else,
    is_generated,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import names_of_key

#: The kind of a compressed file that nothing but its repository or folder brings into a run.
PACKED = "packed"


def searched_as_a_whole(sources: Iterable[str], folders: Iterable[str] = ()) -> list[str]:
    """The Git repositories that hold inventories and playbooks, and the folders of those in no repository, each once.

    A folder in another one of them is left out, as far as the search of that one comes there.

    Args:
        folders: more of them, in whatever repositories they are.
    """
    found: dict[str, None] = {}
    for source in sources:
        # The playbooks of the collection are nobody's project. Its checkout is not searched, a project around it is.
        if (os.path.realpath(source) + os.sep).startswith(PLAYBOOKS + os.sep):
            continue
        folder = _repository(source) or _folder(source)
        if folder and folder != os.path.dirname(PLAYBOOKS):
            found[folder] = None
    found.update(dict.fromkeys(filter(None, map(_folder, folders))))
    return [one for one in found if not any(_comes_to(one, top) for top in found if top != one)]


def _repository(source: str) -> str:
    """The Git repository of a source; of one in another one's project, as of a submodule, that around it."""
    folder, found = os.path.realpath(source), ""
    while os.path.dirname(folder) != folder:
        if os.path.exists(os.path.join(folder, ".git")):
            found = folder
            if vars_places.is_top_of_repository(folder):
                break
        folder = os.path.dirname(folder)
    return found


def _folder(source: str) -> str:
    """The folder of a source, unless it holds much else than a project."""
    if not os.path.exists(source):
        return ""
    real = os.path.realpath(source)
    folder = real if os.path.isdir(real) else os.path.dirname(real)
    return "" if holds_much_else(folder) else folder


def _comes_to(folder: str, top: str) -> bool:
    """Whether the search of a folder comes to one in it."""
    if not folder.startswith(top + os.sep):
        return False
    while folder != top:
        parent, name = os.path.split(folder)
        if is_generated(parent, name):
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


def others_in(top: str, known: Iterable[Known], vaulted: VaultedFiles, problem: vars_places.Problem) -> Others:
    """What a Git repository or a folder holds besides.

    Compressed files among the rest are named together: most of them are of no concern.
    """
    read, outputs = list(known), outputs_of_run()
    vars_files: dict[str, tuple[str, str]] = {}
    texts: list[str] = []
    packed: list[str] = []

    def is_read(path: str) -> bool:
        return any(path in one for one in read)

    for path in files_in(top, lambda error: None if is_read(str(error.filename)) else problem(error)):
        # What a run has not finished writing is gone at any moment.
        if is_read(path) or is_temporary(os.path.basename(path)):
            continue
        if is_vars_file_name(os.path.basename(path)):
            of = _key_of(path, problem)
            if all(of):
                vars_files[path] = of
                continue
        # A file of that name which names no key is a text as any other one.
        if outputs and identity(path) in outputs:
            problem(vars_places.NotSearched(path, TO_OUTPUT, OUTPUT))
            continue
        if locked := vaulted.problem(path):
            problem(locked)
        result = scan_file(path, most=1)
        if result.found:
            texts.append(path)
        else:
            _note(result.unread, packed, problem)
    if packed:
        named = f"{os.path.relpath(packed[0], top)}{f' and {len(packed) - 1} more' if len(packed) > 1 else ''}"
        problem(vars_places.NotSearched(top, f"compressed files elsewhere in the project: {named}", PACKED))
    return Others(vars_files, texts)


def _key_of(path: str, problem: vars_places.Problem) -> tuple[str, str]:
    """The engine and the key that a vars file names, both empty if it names none, or cannot be read."""
    try:
        return names_of_key(path)
    except TransitError as error:
        problem(vars_places.NotSearched(path, error.message.rstrip("."), "failed"))
        return "", ""


def _note(unread: Unread | None, packed: list[str], problem: vars_places.Problem) -> None:
    if unread is not None and unread.kind == COMPRESSED:
        packed.append(unread.path)
    # What is missing was there when its folder was listed.
    elif unread is not None and unread.kind != MISSING:
        problem(vars_places.NotSearched(unread.path, unread.reason, "failed"))


def _leave(_error: OSError) -> None:
    return None
