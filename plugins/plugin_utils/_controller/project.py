# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The encrypted vars files of the project that Ansible runs. **Private** to the collection."""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import time
from typing import Any, Callable, Iterable, Mapping, Tuple

from ansible import constants
from ansible.utils.path import basedir
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import OUTPUT
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outputs import (
    TO_OUTPUT,
    identity,
    outputs_of_run,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import is_temporary
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import (
    VARS_FILE_SUFFIXES,
    is_read_by_ansible,
)

NotSearched = vars_places.NotSearched
above = vars_places.above

#: The playbooks of the collection are nobody's project.
PLAYBOOKS = os.path.join(os.path.realpath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)), "playbooks")

_STATUS = ("mlkeys.transit.status", os.path.join(PLAYBOOKS, "status.yml"))

# A folder that changed a moment ago may change once more without looking different.
_SETTLED_NS = 2_000_000_000


_Mark = Tuple[int, int, int]


class Names:
    """The names in folders, each of which is listed again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Mark, frozenset[str]]] = {}

    def of(self, folder: str) -> frozenset[str]:
        try:
            mark = _mark(folder)
            known = self._known.get(folder)
            if known is not None and known[0] == mark:
                return known[1]
            names = frozenset(os.listdir(folder))
        except OSError:
            return frozenset()
        if _is_settled(mark):
            self._known[folder] = (mark, names)
        return names


class Below:
    """The encrypted vars files in folders and the folders in these, which are walked again when one has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[str, _Mark], list[str]]] = {}

    def of(self, folder: str) -> list[str]:
        known = self._known.get(folder)
        if known is not None and _marks(known[0]) == known[0]:
            return known[1]
        # Before they are listed: what changes in the meantime differs from these.
        before = _marks([folder])
        places: set[str] = set()
        files = vars_places.below(folder, places=places)
        marks = {**before, **_marks(places)}
        if len(marks) == len({folder, *places}) and all(map(_is_settled, marks.values())):
            self._known[folder] = (marks, files)
        return files


def _mark(folder: str) -> _Mark:
    status = os.stat(folder)
    return status.st_mtime_ns, status.st_dev, status.st_ino


def _marks(folders: Iterable[str]) -> dict[str, _Mark]:
    """Those of the folders that exist."""
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            found[folder] = _mark(folder)
    return found


def _is_settled(mark: _Mark) -> bool:
    return time.time_ns() - mark[0] > _SETTLED_NS


# The folder of an inventory or a playbook. Ansible's own plugins find it again for each host and group, which takes
# longer than all that the vars plugin does for one.
base_of = functools.lru_cache(maxsize=None)(basedir)


# A run asks it for each group of each host.
@functools.lru_cache(maxsize=1)
def only_reports(playbooks: tuple[str, ...]) -> bool:
    """Whether this is the collection's playbook that only reports, and nothing else."""
    names = [name if name in _STATUS else os.path.realpath(name) for name in playbooks]
    return bool(names) and all(name in _STATUS for name in names)


def files_of_all(holds_entries: Callable[[str], bool], *bases: str) -> Iterable[tuple[tuple[str, str], str]]:
    """The encrypted vars files of hosts and groups, each with the folder and the name of whose it is, and others.

    Args:
        holds_entries: whether a file holds entries itself. Of the others, those that do not are left out: a document
            of the server is read when somebody wants it.
    """
    for base in dict.fromkeys(bases):
        for folder in _OF_VARIABLES:
            for file in vars_places.below(os.path.join(base, folder)):
                first = os.path.relpath(file, os.path.join(base, folder)).split(os.sep)[0]
                suffix = next((end for end in VARS_FILE_SUFFIXES if first.endswith(end)), "")
                yield (folder, first[: len(first) - len(suffix)]), file
        # They belong to no host, and are mostly decrypted as what belongs to all is.
        for file in filter(holds_entries, files_to_load(base)):
            yield (_OF_VARIABLES[0], "all"), file


def files_to_load(base: str) -> list[str]:
    """The encrypted vars files that playbooks in a folder may load: there, in ``vars`` and in those of roles."""
    roles = glob.glob(os.path.join(glob.escape(base), "roles", "*", ""))
    folders = [os.path.join(base, "vars"), *(os.path.join(role, name) for role in roles for name in _OF_ROLES)]
    here = [os.path.join(base, name) for name in _listed(base) if is_read_by_ansible(name)]
    return [*filter(os.path.isfile, here), *(file for folder in folders for file in vars_places.below(folder))]


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def beside(sources: Iterable[str], problem: vars_places.Problem) -> list[str]:
    """The encrypted vars files beside inventories and playbooks, each once."""
    return vars_places.beside(sources, problem, but=PLAYBOOKS)


def texts_beside(sources: Iterable[str], problem: vars_places.Problem) -> list[str]:
    """What else Ansible reads there, and ciphertexts may be written in by hand. Real paths.

    But for the log of this run: rewritten, it would be another file than the one that the run goes on to write.
    """
    outputs = outputs_of_run()
    found = []
    for path in vars_places.texts_beside(sources, problem, but=PLAYBOOKS):
        if outputs and identity(path) in outputs:
            problem(vars_places.NotSearched(path, TO_OUTPUT, OUTPUT))
        # What a run has not finished writing is gone at any moment.
        elif not is_temporary(os.path.basename(path)):
            found.append(path)
    return found


def inventory_folders(inventory: str) -> list[str]:
    """The folders in an inventory that is a folder, but for those of variables and hidden ones."""
    found = []
    for place, folders, _names in os.walk(inventory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _OF_VARIABLES)
        found += [os.path.join(place, name) for name in folders]
    return found


def inventories_of(variables: Mapping[str, Any]) -> list[str]:
    return list(map(str, variables.get("ansible_inventory_sources") or ()))


def sources_of(variables: Mapping[str, Any], further: Iterable[str]) -> list[str]:
    """The inventories and the playbook of a run, and what else it may read variables beside."""
    inventories = inventories_of(variables)
    # Ansible reads inventories in the folders of an inventory as well.
    inner = [place for one in inventories for place in inventory_folders(one)]
    sources = [*further, *inventories, *inner, *above(inventories), variables.get("playbook_dir") or "", os.getcwd()]
    return [source for source in sources if source]


def configured_folders() -> list[str]:
    """The folders of roles and collections that the settings of the project name.

    Ansible's own defaults belong to no project, and a command may set where collections are for its own sake.
    """
    roles, origin = constants.config.get_config_value_and_origin("DEFAULT_ROLES_PATH")
    found = [] if origin == "default" else list(roles)
    collections, origin = constants.config.get_config_value_and_origin("COLLECTIONS_PATHS")
    if os.path.isfile(str(origin)):
        found += [os.path.join(path, "ansible_collections") for path in collections]
    return found


def is_there(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # It is reported when it is read.
        return True
    return True


_OF_VARIABLES = ("group_vars", "host_vars")
_OF_ROLES = ("defaults", "vars")
