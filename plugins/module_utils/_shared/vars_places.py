# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The encrypted vars files of a project, by their names and places.

This file is **private** to the collection, uses the standard library alone and imports nothing of the collection: the
Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import os
from typing import Callable, Iterable, Iterator

# Endings of the names of encrypted vars files.
SUFFIXES = (".transit.yml", ".transit.yaml", ".transit.json")

# Where Ansible reads variables from, beside an inventory and beside a playbook.
_FOLDERS = ("group_vars", "host_vars", "vars", "roles")

# What else Ansible reads beside a playbook, and endings of files in which ciphertexts may be written by hand.
_MORE_FOLDERS = ("files", "handlers", "tasks", "templates")
_TEXTS = ("", ".cfg", ".conf", ".env", ".hcl", ".ini", ".j2", ".json", ".py", ".toml", ".yaml", ".yml")

# Gets what cannot be read.
Problem = Callable[[OSError], None]


def is_encrypted_vars(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def below(folder: str, problem: Problem | None = None, places: set[str] | None = None) -> list[str]:
    """The encrypted vars files in a folder and the folders in it. Links are followed.

    Args:
        places: gets the real paths of all folders that were listed.
    """
    return [path for path in _files_below(folder, problem, places) if is_encrypted_vars(os.path.basename(path))]


def _files_below(folder: str, problem: Problem | None, places: set[str] | None = None) -> Iterator[str]:
    places = set() if places is None else places
    for place, folders, names in os.walk(folder, onerror=problem, followlinks=True):
        real = os.path.realpath(place)
        # A link may point to one of its own parents.
        folders[:] = [] if real in places else sorted(name for name in folders if not name.startswith("."))
        places.add(real)
        yield from (os.path.join(place, name) for name in sorted(names))


def beside(sources: Iterable[str], problem: Problem, but: str = "") -> list[str]:
    """The encrypted vars files beside inventories and playbooks, each once.

    Args:
        sources: files, and folders of such. What does not exist is a list of hosts, not a file.
        but: a folder in which nothing is searched.
    """
    found: dict[str, str] = {}
    for base in _bases(sources):
        if but and (base + os.sep).startswith(but + os.sep):
            continue
        for path in [*_directly_in(base, problem), *_in_folders(base, problem)]:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def texts_beside(sources: Iterable[str], problem: Problem, but: str = "") -> list[str]:
    """Inventories, playbooks, and other files of variables, tasks and templates beside them, each once.

    Args:
        sources, but: as for `beside`.
    """
    given = list(sources)
    found: dict[str, str] = {}
    for base in _bases(given):
        if but and (base + os.sep).startswith(but + os.sep):
            continue
        paths = [os.path.join(base, name) for name in _names_in(base, problem)]
        for name in (*_FOLDERS, *_MORE_FOLDERS):
            folder = os.path.join(base, name)
            if os.path.lexists(folder):
                paths += _files_below(folder, problem)
        for path in [*paths, *given]:
            if os.path.isfile(path) and (path in given or _may_hold(os.path.basename(path))):
                found.setdefault(os.path.realpath(path), path)
    return list(found)


def _may_hold(name: str) -> bool:
    if name.startswith("."):
        return name.startswith(".env")
    return os.path.splitext(name)[1] in _TEXTS and not is_encrypted_vars(name)


def _bases(sources: Iterable[str]) -> list[str]:
    bases = []
    for source in sources:
        if os.path.isdir(source):
            bases.append(os.path.realpath(source))
        elif os.path.exists(source):
            bases.append(os.path.dirname(os.path.realpath(source)))
    return list(dict.fromkeys(bases))


def _directly_in(base: str, problem: Problem) -> Iterator[str]:
    for name in _names_in(base, problem):
        path = os.path.join(base, name)
        if is_encrypted_vars(name) and not os.path.isdir(path):
            yield path


def _names_in(base: str, problem: Problem) -> list[str]:
    try:
        return sorted(os.listdir(base))
    except OSError as error:
        problem(error)
        return []


def _in_folders(base: str, problem: Problem) -> Iterator[str]:
    for name in _FOLDERS:
        folder = os.path.join(base, name)
        if os.path.lexists(folder):
            yield from below(folder, problem)
