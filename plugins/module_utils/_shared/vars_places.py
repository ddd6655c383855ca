# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The encrypted vars files of a project, by their names and places.

This file is **private** to the collection, uses the standard library alone and imports nothing of the collection: the
Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Callable, Iterable, Iterator

from .vars_files import is_read_by_ansible, is_vars_file_name

# Where Ansible reads variables from, beside an inventory and beside a playbook.
_FOLDERS = ("group_vars", "host_vars", "vars", "roles")

# How names of files end that it reads there.
_ENDINGS = ("", ".yml", ".yaml", ".json")

# What else Ansible reads beside a playbook. Every file in these folders and beside them may have ciphertexts, whatever
# its name: that of a host may end with .com, that of a copy with .bak.
_MORE_FOLDERS = ("files", "handlers", "tasks", "templates")
_PLAYBOOKS = "playbooks"
# The top folder of a project has one of these, or a repository. Without them, folders with one of the others belong to
# a project.
_MARKS = ("ansible.cfg", "galaxy.yml")
SIGNS = ("collections", "group_vars", "host_vars", "playbooks", "requirements.yml", "roles", "site.yml")
# In these, nobody wants a file rewritten. They are searched all the same, but for their compressed histories.
VERSION_CONTROL_FOLDERS = (".git", ".hg", ".svn")
_HISTORIES = ("objects", "store")
_LONGEST_PATH = 8192
HISTORY = "a history of version control, which is compressed, and not searched"

# Gets what cannot be read.
Problem = Callable[[OSError], None]


class NotSearched(OSError):
    """Something that is not searched, and is not an error.

    Attributes:
        kind: ``compressed``, ``dangling`` or ``output``.
    """

    def __init__(self, path: str, reason: str, kind: str) -> None:
        super().__init__(errno.ENOENT, reason, path)
        self.kind = kind


def is_history(folder: str) -> bool:
    """Whether a folder holds earlier revisions in a compressed form: the objects of Git, the store of Mercurial."""
    parent, name = os.path.split(folder)
    if name == "objects":
        return os.path.isfile(os.path.join(parent, "HEAD")) and os.path.isdir(os.path.join(parent, "refs"))
    return name == "store" and os.path.basename(parent) == ".hg"


def below(folder: str, problem: Problem | None = None, places: set[str] | None = None) -> list[str]:
    """The encrypted vars files in a folder and the folders in it. Links are followed.

    Args:
        places: gets the real paths of all folders that were listed.
    """
    return [path for path in _files_below(folder, problem, places) if is_read_by_ansible(os.path.basename(path))]


def other_files(folder: str, name: str) -> list[str]:
    """The files that Ansible reads for a host or a group, except those with the name of an encrypted vars file.

    Args:
        folder: ``group_vars`` or ``host_vars``.
    """
    beside = [os.path.join(folder, name + ending) for ending in _ENDINGS]
    found = [*_files_below(os.path.join(folder, name), None), *filter(os.path.isfile, beside)]
    return [path for path in found if _is_other(os.path.basename(path))]


def _is_other(name: str) -> bool:
    is_read = not name.startswith(".") and not name.endswith("~") and os.path.splitext(name)[1] in _ENDINGS
    return is_read and not is_vars_file_name(name)


def _files_below(
    folder: str, problem: Problem | None, places: set[str] | None = None, *, hidden: bool = False
) -> Iterator[str]:
    places = set() if places is None else places
    for place, folders, names in os.walk(folder, onerror=problem, followlinks=True):
        real = os.path.realpath(place)
        entered = sorted(name for name in folders if hidden or not name.startswith("."))
        history = [name for name in entered if name in _HISTORIES and is_history(os.path.join(place, name))]
        for name in history:
            entered.remove(name)
            if hidden and problem is not None:
                problem(NotSearched(os.path.join(place, name), HISTORY, "compressed"))
        # A link may point to one of its own parents.
        folders[:] = [] if real in places else entered
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
    """All files beside inventories and playbooks, and in folders of variables, tasks and templates there, each once.

    Encrypted vars files are among them, also those that are not where Ansible reads variables.

    Args:
        sources, but: as for `beside`.
    """
    given = list(sources)
    found: dict[str, str] = {}
    for base in _bases(given):
        if but and (base + os.sep).startswith(but + os.sep):
            continue
        paths = [*given]
        for name in (*_FOLDERS, *_MORE_FOLDERS):
            folder = os.path.join(base, name)
            if os.path.lexists(folder):
                paths += _files_below(folder, problem, hidden=True)
        for path in [*paths, *(os.path.join(base, name) for name in _names_in(base, problem))]:
            if _is_file(path, problem):
                found.setdefault(os.path.realpath(path), path)
    return list(found)


def _is_file(path: str, problem: Problem) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        # A source need not exist: it may be a list of hosts.
        if os.path.islink(path):
            problem(NotSearched(path, f"a link to {os.readlink(path)}, which does not exist", "dangling"))
    except OSError as error:
        problem(error)
    return False


def _bases(sources: Iterable[str]) -> list[str]:
    bases = [folder for source in sources for folder in _folders_of(source)]
    # Ansible reads variables beside playbooks as well, and these are usually there.
    inner = [os.path.join(base, _PLAYBOOKS) for base in bases]
    return list(dict.fromkeys([*bases, *(base for base in inner if os.path.isdir(base))]))


def _folders_of(source: str) -> list[str]:
    """The real folders of an inventory or a playbook. Ansible reads variables beside a link to it."""
    if os.path.isdir(source):
        return [os.path.realpath(source)]
    if not os.path.exists(source):
        return []
    return [os.path.realpath(os.path.dirname(source) or os.curdir), os.path.dirname(os.path.realpath(source))]


def above(sources: Iterable[str]) -> list[str]:
    """The folders above inventories that belong to the same project, each once.

    A play reads variables beside its playbook, which is often in a folder above: ``inventories/prod`` is an inventory
    of the project that has ``group_vars`` and ``site.yml``. What marks a project ends the search; without a mark,
    folders belong to it that hold what Ansible reads there.
    """
    found: dict[str, None] = {}
    for base in dict.fromkeys(folder for source in sources for folder in _folders_of(source)):
        passed: list[str] = []
        for folder in _upward(base):
            passed.append(folder)
            if _has(folder, _MARKS) or is_top_of_repository(folder):
                break
        else:
            passed = [folder for folder in passed if _has(folder, SIGNS)]
        found.update(dict.fromkeys(folder for folder in passed if folder != base))
    return list(found)


def is_top_of_repository(folder: str) -> bool:
    """Whether a Git repository begins in a folder that belongs to no other one.

    A submodule belongs to another one, and so does a repository of its own in a project, be that a repository or not.
    """
    mark = os.path.join(folder, ".git")
    if not os.path.isfile(mark):
        return os.path.lexists(mark) and not _is_in_project(os.path.dirname(folder))
    try:
        with open(mark, encoding="utf-8", errors="surrogateescape") as file:
            place = file.read(_LONGEST_PATH).partition("gitdir:")[2].strip()
    except OSError:
        return False
    # The worktree of a repository shares its data, a submodule has its own.
    return os.path.isfile(os.path.join(folder, place, "commondir"))


def _is_in_project(folder: str) -> bool:
    """Whether a folder is in a project: the next Git repository, or a folder on the way, has what Ansible reads.

    A home folder may be a repository, and does not count. The same applies to a folder that holds repositories side by
    side, of which one is named ``roles``.
    """
    home = os.path.realpath(os.path.expanduser("~"))
    for around in _upward(folder):
        if (home + os.sep).startswith(around.rstrip(os.sep) + os.sep):
            return False
        if os.path.lexists(os.path.join(around, ".git")):
            return bool(_present(around))
        if any(not os.path.lexists(os.path.join(around, name, ".git")) for name in _present(around)):
            return True
    return False


def _present(folder: str) -> list[str]:
    return [name for name in (*_MARKS, *SIGNS) if os.path.lexists(os.path.join(folder, name))]


def _upward(folder: str) -> Iterator[str]:
    """A folder and those above it, but for the root."""
    while os.path.dirname(folder) != folder:
        yield folder
        folder = os.path.dirname(folder)


def _has(folder: str, names: Iterable[str]) -> bool:
    return any(os.path.lexists(os.path.join(folder, name)) for name in names)


def _directly_in(base: str, problem: Problem) -> Iterator[str]:
    for name in _names_in(base, problem):
        path = os.path.join(base, name)
        if is_read_by_ansible(name) and not os.path.isdir(path):
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


def missing_inventories(sources: Iterable[str]) -> str:
    """The message about inventories that do not exist, empty if all do. Ansible only warns of them, and goes on."""
    missing = [one for one in sources if not (_needs_no_file(one) or os.path.exists(one))]
    return f"Inventories do not exist: {', '.join(missing)}. Correct the path." if missing else ""


def _needs_no_file(inventory: str) -> bool:
    """Whether it is a list of hosts, a word for a plugin such as ``@controller_inventory``, or Ansible's default."""
    return "," in inventory or os.path.basename(inventory).startswith("@") or inventory == "/etc/ansible/hosts"
