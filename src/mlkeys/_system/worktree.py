# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The files to check: those of a folder as git lists them, those of the index, or those given by name."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._shared.vars_places import beside
from mlkeys._system.decoding import PACKED, decoded
from mlkeys._system.git import LARGEST, REGULAR_MODES, TOO_LARGE, committed, contents_of, git, git_with_warnings

# What git says about a folder, in whose place it lists nothing.
_CLOSED = re.compile(rb"^warning: could not open directory '(.+)/': (.+)$", re.MULTILINE)
# Read at a time.
_AT_LEAST = 65536


@dataclass(frozen=True, slots=True)
class Looked:
    """A text file.

    Attributes:
        mode: its permissions.
        checked_out_as: the permissions that git gives to files here; None for an untracked file.
    """

    path: str
    text: str = field(repr=False)
    mode: int
    checked_out_as: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not checked, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A file to check.

    Attributes:
        shown: its path in messages.
        named: whether the user gave its name, and not that of a folder.
    """

    path: str
    shown: str
    named: bool


class _Repository:
    """A git work tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        #: The folders that git could not list, and why.
        self.closed: dict[str, str] = {}

    @cached_property
    def tracked(self) -> dict[str, None]:
        return self._listed("--cached")

    @cached_property
    def permissions(self) -> int:
        """The permissions that git gives to a file: those of its index, and those that the umask allows."""
        index = self.root / os.fsdecode(git(self.root, "rev-parse", "--git-path", "index").rstrip(b"\n"))
        given = 0o666 & ~_umask()
        try:
            return given | stat.S_IMODE(index.stat().st_mode)
        except OSError:
            return given

    def files(self, inside: str) -> list[str]:
        """The tracked files below a folder, and the untracked ones that git does not ignore."""
        others = self._listed("--others", "--exclude-standard", "--", inside or ".")
        return sorted({*others, *(name for name in self.tracked if name.startswith(inside))})

    def _listed(self, *arguments: str) -> dict[str, None]:
        listed, warnings = git_with_warnings(self.root, "ls-files", "-z", *arguments)
        self.closed |= {os.fsdecode(name): os.fsdecode(reason) for name, reason in _CLOSED.findall(warnings)}
        return dict.fromkeys(os.fsdecode(name) for name in listed.split(b"\0") if name)


class Worktree:
    """The files below paths."""

    def __init__(self, paths: Sequence[Path], exclude: Sequence[str] = (), *, ignored: Collection[str]) -> None:
        """
        Args:
            paths: files and folders; none for the current folder, or for all of git's work tree if git is asked.
            exclude: patterns of paths to leave out.
            ignored: names of folders to leave out where git cannot list a folder.
        """
        self._everything = not paths
        self._paths = paths or (Path(),)
        self._exclude = exclude
        self._ignored = ignored
        self._repositories: dict[Path, _Repository] = {}
        self._places: dict[str, tuple[_Repository | None, str]] = {}
        #: Folders that could not be listed, and paths that lead nowhere.
        self.unlisted: list[Skipped] = []

    def listed(self) -> Iterator[Listed]:
        """The files, each once, without their contents. A file given by name is checked even if git ignores it."""
        seen: set[str] = set()
        for given in self._paths:
            try:
                named = not stat.S_ISDIR(given.stat().st_mode)
            except OSError as problem:
                # The others are checked all the same.
                self._skip(str(given), _reason(given, problem))
                continue
            for path in [str(given)] if named else self._below(given):
                shown = os.path.normpath(path)
                if shown not in seen and not self.excludes(shown):
                    seen.add(shown)
                    yield Listed(path, shown, named)
            # What rotations find, also where git ignores it.
            for path in [] if named else self._encrypted_vars(given):
                shown = os.path.normpath(path)
                if shown not in seen and not self.excludes(shown):
                    seen.add(shown)
                    yield Listed(path, shown, named=True)

    @property
    def folders(self) -> list[str]:
        return [str(path) for path in self._paths if stat.S_ISDIR(_mode(path))]

    def files(self) -> Iterator[Looked | Skipped]:
        """The files with their contents."""
        return (looked for one in self.listed() if (looked := self.look(one)) is not None)

    def staged(self) -> Iterator[Looked | Skipped]:
        """The files of the index that differ from the last commit, as the index holds them."""
        root, here = self._root_for("--staged checks what git would commit")
        given = self._in(root)
        # One that was removed has a name, too.
        yield from self._unknown(root, ["diff", "--cached", "--name-only"])
        listed = git(root, "diff", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--diff-filter=ACMT",
                     "--", *given).split(b"\0")  # fmt: skip
        blobs = {}
        for about, name in zip(listed[::2], listed[1::2], strict=False):
            _, kind, _, blob, _ = about.split(b" ")
            shown = os.path.relpath(root / os.fsdecode(name), here)
            if kind in REGULAR_MODES and not self.excludes(shown):
                blobs[shown] = (blob, int(kind[-3:], 8))
        contents = dict(contents_of(root, [blob for blob, _ in blobs.values()]))
        for shown, (blob, mode) in blobs.items():
            data = contents[blob]
            if isinstance(data, str):
                yield Skipped(shown, data)
            elif (text := decoded(data)) is not None:
                yield Looked(shown, text, mode, 0o666)

    def history(self) -> Iterator[tuple[str, Looked | Skipped]]:
        """Each content that a file ever had in a commit of any branch or tag, once, and the first commit with it."""
        root, here = self._root_for("--history checks the commits")
        given = self._in(root)
        yield from (("", one) for one in self._unknown(root, ["log", "--all", "-1", "--format=%h"]))
        if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
            yield "", Skipped("older commits", "this clone is shallow; run git fetch --unshallow")
        places: dict[bytes, tuple[str, str]] = {}
        for commit, blob, name in committed(root, given):
            shown = os.path.relpath(root / os.fsdecode(name), here)
            if blob not in places and not self.excludes(shown):
                places[blob] = commit, shown
        for blob, data in contents_of(root, list(places)):
            commit, shown = places[blob]
            if isinstance(data, str):
                yield commit, Skipped(f"{shown} in commit {commit}", data)
            elif (text := decoded(data)) is not None:
                yield commit, Looked(shown, text, 0, 0o777)

    def _in(self, root: Path) -> list[str]:
        return ["."] if self._everything else [os.path.relpath(path.absolute(), root) for path in self._paths]

    def _unknown(self, root: Path, question: Sequence[str]) -> Iterator[Skipped]:
        """The given paths that neither exist nor are in git's answer: mistyped ones."""
        for given in self._paths:
            path = given.absolute()
            if not os.path.lexists(path) and not git(root, *question, "--", os.path.relpath(path, root)):
                yield Skipped(str(given), "git does not know it")

    def _root_for(self, purpose: str) -> tuple[Path, Path]:
        """The work tree of the current folder, and this folder."""
        here = Path.cwd().resolve()
        root = _root(here)
        if root is None:
            raise MlkeysError(f"{purpose}, and this is not a git work tree.")
        return root, here

    def excludes(self, shown: str) -> bool:
        return any(fnmatch(shown, pattern) for pattern in self._exclude)

    def _below(self, folder: Path) -> Iterator[str]:
        repository, inside = self._place(str(folder))
        if repository is not None:
            names = repository.files(inside)
            for closed, reason in repository.closed.items():
                self._skip(os.path.normpath(f"{folder}/{os.path.relpath(closed, inside or '.')}"), reason)
            if names:
                yield from (f"{folder}/{os.path.relpath(name, inside or '.')}" for name in names)
                return
        for parent, folders, found in os.walk(folder, onerror=self._note):
            folders[:] = sorted(name for name in folders if name not in self._ignored)
            yield from (f"{parent}/{name}" for name in sorted(found))

    def _encrypted_vars(self, folder: Path) -> list[str]:
        real = folder.resolve()
        return [f"{folder}/{os.path.relpath(path, real)}" for path in beside([str(real)], self._note)]

    def _note(self, error: OSError) -> None:
        self._skip(os.path.relpath(error.filename), error.strerror or "it cannot be listed")

    def _skip(self, shown: str, reason: str) -> None:
        known = [one.path for one in self.unlisted]
        if shown not in known and not self.excludes(shown):
            self.unlisted.append(Skipped(shown, reason))

    def _place(self, folder: str) -> tuple[_Repository | None, str]:
        """The work tree that contains a folder, and the folder's path in it."""
        if folder not in self._places:
            real = Path(folder).resolve()
            root = _root(real)
            repository = None if root is None else self._repository(root)
            inside = "" if repository is None else real.relative_to(repository.root).as_posix()
            self._places[folder] = repository, "" if inside == "." else f"{inside}/"
        return self._places[folder]

    def _repository(self, root: Path) -> _Repository | None:
        if root not in self._repositories:
            repository = _Repository(root)
            try:
                _ = repository.tracked
            except MlkeysError:
                # git is not installed, or refuses a folder with another owner.
                return None
            self._repositories[root] = repository
        return self._repositories[root]

    def look(self, listed: Listed) -> Looked | Skipped | None:
        """The file's content; None for anything but a text file. In folders, links are not followed.

        A file given by name is checked even if it is binary.
        """
        path, shown, named = listed.path, listed.shown, listed.named
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if named else os.O_NOFOLLOW))
        except OSError as problem:
            # git still lists a deleted file.
            passed = problem.errno in (errno.ENOENT, errno.ELOOP) and not named
            return None if passed else Skipped(shown, problem.strerror or "it cannot be read")
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Skipped(shown, "not a regular file") if named else None
            data = _content(descriptor, status.st_size) if status.st_size <= LARGEST else b""
        except OSError as problem:
            return Skipped(shown, problem.strerror or "it cannot be read")
        finally:
            os.close(descriptor)
        if max(status.st_size, len(data)) > LARGEST:
            return Skipped(shown, TOO_LARGE)
        text = decoded(data)
        if named and data.startswith(PACKED):
            return Skipped(shown, "compressed; unpack it first")
        if text is None:
            if not named:
                return None
            text = data.decode("latin-1")
        return Looked(shown, text, stat.S_IMODE(status.st_mode), self._checked_out_as(path))

    def _checked_out_as(self, path: str) -> int | None:
        folder, name = os.path.split(path)
        repository, inside = self._place(folder or ".")
        return repository.permissions if repository is not None and inside + name in repository.tracked else None


def _content(descriptor: int, size: int) -> bytes:
    """All of an open file, or somewhat more than is searched.

    A buffer of the largest size, as `file.read` has it, takes longer than the search of a usual file.
    """
    parts: list[bytes] = []
    rest = LARGEST + 1
    # Files of the kernel have no size, and some of them no end.
    while rest > 0 and (part := os.read(descriptor, min(max(size + 1, _AT_LEAST), rest))):
        parts.append(part)
        rest -= len(part)
    return b"".join(parts)


def _reason(given: Path, problem: OSError) -> str:
    """Why a path that the user gave cannot be followed."""
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return "a link to something that does not exist" if given.is_symlink() else "it does not exist"
    return problem.strerror or "it cannot be read"


def _root(folder: Path) -> Path | None:
    return next((parent for parent in (folder, *folder.parents) if _mode(parent / ".git")), None)


def _mode(path: Path) -> int:
    """0 for what does not exist, or may not be looked at."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
