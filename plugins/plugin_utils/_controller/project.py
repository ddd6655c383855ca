# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The encrypted vars files of a project, by their names. **Private** to the collection."""

from __future__ import annotations

import os
import time
from typing import Callable, Iterable, Iterator

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import VARS_FILE_SUFFIXES

# Where Ansible reads variables from, beside an inventory and beside a playbook.
_FOLDERS = ("group_vars", "host_vars", "vars", "roles")
_COLLECTION = os.path.realpath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))

# Gets what cannot be read.
Problem = Callable[[OSError], None]


# A folder that changed a moment ago may change once more without looking different.
_SETTLED_NS = 2_000_000_000


class Names:
    """The names in folders, each of which is listed again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], frozenset[str]]] = {}

    def of(self, folder: str) -> frozenset[str]:
        try:
            status = os.stat(folder)
            mark = (status.st_mtime_ns, status.st_dev, status.st_ino)
            known = self._known.get(folder)
            if known is not None and known[0] == mark:
                return known[1]
            names = frozenset(os.listdir(folder))
        except OSError:
            return frozenset()
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            self._known[folder] = (mark, names)
        return names


def is_encrypted_vars(name: str) -> bool:
    return name.endswith(VARS_FILE_SUFFIXES) and not name.startswith(".")


def below(folder: str, problem: Problem | None = None) -> list[str]:
    """The encrypted vars files in a folder and the folders in it. Links are followed."""
    found = []
    places = set()
    for place, folders, names in os.walk(folder, onerror=problem, followlinks=True):
        real = os.path.realpath(place)
        # A link may point to one of its own parents.
        folders[:] = [] if real in places else sorted(name for name in folders if not name.startswith("."))
        places.add(real)
        found += [os.path.join(place, name) for name in sorted(names) if is_encrypted_vars(name)]
    return found


def beside(sources: Iterable[str], problem: Problem) -> list[str]:
    """The encrypted vars files beside inventories and playbooks, each once.

    Args:
        sources: files, and folders of such. What does not exist is a list of hosts, not a file.
    """
    found: dict[str, str] = {}
    for base in _bases(sources):
        for path in [*_directly_in(base, problem), *_in_folders(base, problem)]:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _bases(sources: Iterable[str]) -> list[str]:
    bases = []
    for source in sources:
        if os.path.isdir(source):
            bases.append(os.path.realpath(source))
        elif os.path.exists(source):
            bases.append(os.path.dirname(os.path.realpath(source)))
    # The playbooks of the collection are nobody's project.
    return [base for base in dict.fromkeys(bases) if not (base + os.sep).startswith(_COLLECTION + os.sep + "playbooks")]


def _directly_in(base: str, problem: Problem) -> Iterator[str]:
    try:
        names = sorted(os.listdir(base))
    except OSError as error:
        problem(error)
        return
    for name in names:
        path = os.path.join(base, name)
        if is_encrypted_vars(name) and not os.path.isdir(path):
            yield path


def _in_folders(base: str, problem: Problem) -> Iterator[str]:
    for name in _FOLDERS:
        folder = os.path.join(base, name)
        if os.path.lexists(folder):
            yield from below(folder, problem)
