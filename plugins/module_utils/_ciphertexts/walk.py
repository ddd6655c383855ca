# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Which files are searched, and everything that is not. **Private** to the collection.

Another user may put links into what is searched. Where these lead out of what is that user's, a file is looked at for
ciphertext, and nothing in it is replaced; a folder is not entered.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import os
import stat
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    COMPRESSED,
    DANGLING,
    DENIED,
    FAILED,
    OUTPUT,
    SPECIAL,
    Unread,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import scan_file, unread_of
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outputs import TO_OUTPUT, outputs_of_run
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import HISTORY, is_history

EXCLUDED = "excluded"
OTHER_NAME = "not of a searched name"

_KINDS = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


# Nothing that is stored is in these, and some of their files have no end.
_OF_THE_KERNEL = frozenset(
    {
        *("proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "devpts", "mqueue"),
        *("bpf", "binfmt_misc", "fusectl", "efivarfs", "hugetlbfs", "selinuxfs", "rpc_pipefs", "nfsd", "pstore"),
    }
)


@dataclass(frozen=True)
class Places:
    """Where to look.

    Attributes:
        paths: files, folders and patterns (``/etc/mlkeys/*/agent.hcl``).
        patterns: what files in folders are called.
        exclude: what files and folders are called that are left out.
        own: folders of the run itself, which are gone after it.
    """

    paths: Sequence[str]
    patterns: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    own: Sequence[str] = ()


@dataclass(frozen=True)
class Walk:
    """What is at the places.

    Attributes:
        files: the regular files, each once, sorted, by their real paths.
        unread: what is there, or should be, and cannot be searched.
        skipped: how many files and folders the user's choice leaves out, by reason.
        unmatched: patterns among the paths that match nothing.
        linked: how many other names (hard links) a file has that are not at the places, by its path. Files without such
            names are left out.
    """

    files: tuple[str, ...]
    unread: tuple[Unread, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    linked: Mapping[str, int] = field(default_factory=dict)

    def as_result(self) -> dict[str, Any]:
        return {
            "files": list(self.files),
            "unread": [one.as_result() for one in self.unread],
            "skipped": dict(self.skipped),
            "unmatched": list(self.unmatched),
        }


def walk(places: Places) -> Walk:
    """Find the files. Nothing is opened but folders."""
    walker = _Walker(places)
    for path in places.paths:
        if glob.has_magic(path) and not os.path.lexists(path):
            walker.expand(path)
        else:
            walker.named(path)
    return walker.result()


def _numbers(paths: Sequence[str]) -> Iterator[tuple[int, int]]:
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            yield status.st_dev, status.st_ino


class _Walker:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._files: set[str] = set()
        self._unread: dict[str, Unread] = {}
        self._noted = 0
        self._skipped: Counter[str] = Counter()
        self._unmatched: list[str] = []
        self._folders = set(_numbers(places.own))
        self._resolved: dict[str, str] = {}
        self._linked: dict[tuple[int, int], tuple[int, set[str]]] = {}
        self._elsewhere: dict[tuple[int, int], list[Unread]] = {}
        self._kernel = _kernel_systems()
        self._outputs = outputs_of_run()

    def result(self) -> Walk:
        for place, links in self._elsewhere.items():
            for link in links:
                # What was searched under another name needs no link.
                if place not in self._folders and os.path.realpath(link.path) not in self._files:
                    self._note(link)
        unread = tuple(self._unread[path] for path in sorted(self._unread))
        files, unmatched = tuple(sorted(self._files)), tuple(self._unmatched)
        return Walk(files, unread, dict(self._skipped), unmatched, self._other_names())

    def _other_names(self) -> dict[str, int]:
        return {
            path: number - len(paths)
            for number, paths in self._linked.values()
            for path in paths
            if number > len(paths)
        }

    def named(self, path: str) -> None:
        """A path that the user names, or that a pattern of the user's matches."""
        status = self._status(path)
        if status is None:
            return
        if _is_in_history(path):
            self._note(Unread(path, HISTORY, COMPRESSED))
            return
        if stat.S_ISDIR(status.st_mode):
            if self._may_follow(path, status):
                self._below(path)
        elif self._is_of_the_kernel(path, status):
            return
        elif self._is_excluded(path):
            self._skipped[EXCLUDED] += 1
        elif self._may_follow(path, status):
            self._add(path, status)

    def expand(self, pattern: str) -> None:
        known = self._noted
        matches = sorted(self._matches(pattern))
        for match in matches:
            self.named(match)
        if not matches:
            self._unmatched.append(pattern)
            if self._noted == known:
                # Where a folder on the way cannot be listed, that is named.
                self._note(Unread(pattern, "no file or folder matches it", FAILED))

    def _matches(self, pattern: str) -> Iterator[str]:
        """The paths of a pattern. `glob.glob` passes over folders that it may not list, and over names such as .env."""
        folder, name = os.path.split(pattern)
        if not name and folder != pattern:
            yield from (os.path.join(one, "") for one in self._folders_of(folder) if os.path.isdir(one))
            return
        for one in self._folders_of(folder):
            if not glob.has_magic(name):
                path = os.path.join(one, name)
                if self._is_there(path):
                    yield path
                continue
            for found in self._listed(one or os.curdir, is_pattern=True):
                if fnmatch.fnmatch(found, name):
                    yield os.path.join(one, found)

    def _folders_of(self, folder: str) -> list[str]:
        return sorted(self._matches(folder)) if glob.has_magic(folder) else [folder]

    def _is_there(self, path: str) -> bool:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            self._note(unread_of(path, error))
            return False
        return True

    def _below(self, top: str) -> None:
        """Everything below a folder, each real folder once."""
        pending = [top]
        while pending:
            folder = pending.pop()
            status = self._status(folder)
            if status is None or (status.st_dev, status.st_ino) in self._folders:
                continue
            self._folders.add((status.st_dev, status.st_ino))
            for name in () if self._is_of_the_kernel(folder, status) else self._listed(folder):
                path = os.path.join(folder, name)
                if os.path.isdir(path):
                    pending += [path] if self._is_entered(path) and self._leads_there(path) else []
                else:
                    self._entry(path, name)

    def _is_entered(self, path: str) -> bool:
        if is_history(path):
            self._note(Unread(path, HISTORY, COMPRESSED))
            return False
        if self._is_excluded(path):
            self._skipped[EXCLUDED] += 1
            return False
        return True

    def _entry(self, path: str, name: str) -> None:
        if self._is_excluded(path):
            self._skipped[EXCLUDED] += 1
        elif any(fnmatch.fnmatchcase(name, pattern) for pattern in self._places.patterns):
            status = self._status(path)
            if status is not None and (not os.path.islink(path) or self._may_follow(path, status)):
                self._add(path, status)
        elif _may_be_folder(path):
            self._note(Unread(path, "Permission denied", DENIED))
        else:
            self._skipped[OTHER_NAME] += 1

    def _add(self, path: str, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode):
            if self._is_of_the_kernel(path, status):
                return
            if (status.st_dev, status.st_ino) in self._outputs:
                self._note(Unread(path, TO_OUTPUT, OUTPUT))
                return
            real = self._real(path)
            self._files.add(real)
            if status.st_nlink > 1:
                place = (status.st_dev, status.st_ino)
                self._linked.setdefault(place, (status.st_nlink, set()))[1].add(real)
            return
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "")
        self._note(Unread(path, kind, SPECIAL) if kind else Unread(path, "not a regular file", FAILED))

    def _leads_there(self, path: str) -> bool:
        if not os.path.islink(path):
            return True
        status = self._status(path)
        return status is not None and self._may_follow(path, status)

    def _may_follow(self, path: str, status: os.stat_result) -> bool:
        """Whether nobody leads the search elsewhere by a link. Otherwise what is elsewhere is looked at, or noted."""
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return True
        try:
            folders.real_path(path)
        except folders.UnsafeLink as error:
            reason = error.strerror or "a link that is not followed"
        except OSError as error:
            self._note(unread_of(path, error))
            return False
        else:
            return True
        place = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if not self._is_of_the_kernel(path, status):
                self._elsewhere.setdefault(place, []).append(Unread(path, reason, FAILED))
        elif place not in self._elsewhere and not self._is_of_the_kernel(path, status):
            result = scan_file(os.path.realpath(path), most=1)
            found = Unread(path, f"it holds ciphertext, and {reason}", FAILED) if result.found else result.unread
            self._elsewhere[place] = [] if found is None else [replace(found, path=path)]
        return False

    def _is_of_the_kernel(self, path: str, status: os.stat_result) -> bool:
        system = self._kernel.get(status.st_dev, "")
        if system:
            self._note(Unread(path, f"a file system of the kernel ({system})", SPECIAL))
        return bool(system)

    def _real(self, path: str) -> str:
        """The real path of a file. Resolves each folder once, as a run may search many files in it many times."""
        folder, name = os.path.split(path)
        if os.path.islink(path) or not folder:
            return os.path.realpath(path)
        if folder not in self._resolved:
            self._resolved[folder] = os.path.realpath(folder)
        return os.path.join(self._resolved[folder], name)

    def _is_excluded(self, path: str) -> bool:
        if not self._places.exclude:
            return False
        names = {os.path.basename(path.rstrip("/")), os.path.basename(os.path.realpath(path))}
        return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in self._places.exclude)

    def _listed(self, folder: str, *, is_pattern: bool = False) -> list[str]:
        try:
            if is_pattern and self._is_of_the_kernel(folder, os.stat(folder)):
                return []
            return sorted(os.listdir(folder))
        except OSError as error:
            if not (is_pattern and isinstance(error, (FileNotFoundError, NotADirectoryError))):
                self._note(unread_of(folder, error))
            return []

    def _status(self, path: str) -> os.stat_result | None:
        """What a path leads to."""
        try:
            return os.stat(path)
        except FileNotFoundError as error:
            target = _target(path)
            if target:
                self._note(Unread(path, f"a link to {target}, which does not exist", DANGLING))
            else:
                self._note(unread_of(path, error))
        except ValueError:
            self._note(Unread(path, "not a path", FAILED))
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._note(Unread(path, "a link that leads back to itself", DANGLING))
            else:
                self._note(unread_of(path, error))
        return None

    def _note(self, unread: Unread) -> None:
        self._noted += 1
        self._unread.setdefault(unread.path, unread)


def _is_in_history(path: str) -> bool:
    """Whether a path is a history of version control, or is in one."""
    folder = os.path.realpath(path)
    while not is_history(folder):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def _target(path: str) -> str:
    """Where a link leads, empty for what is not a link, or not one any longer."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _kernel_systems() -> dict[int, str]:
    """The file systems that the kernel makes up, by their devices; none where it does not list what is mounted."""
    found = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                place, system = line.split(" - ", 1)
                major, minor = place.split()[2].split(":", 1)
                if system.split()[0] in _OF_THE_KERNEL:
                    found[os.makedev(int(major), int(minor))] = system.split()[0]
    except (OSError, IndexError, ValueError):
        return found
    return found


def _may_be_folder(path: str) -> bool:
    """Whether nothing can be found out of a path, not even what it is."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False
