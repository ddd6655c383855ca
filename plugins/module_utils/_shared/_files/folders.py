# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Open folders, which are reached without being redirected. **Private**.

Symbolic links are followed only where root or the caller owns them. Where somebody else may rename them, they are
followed only within the tree of folders that is that user's anyway: another user can move a link of root to any name.
Once a folder is open, its files are reached by its descriptor: anyone who renames or links things above it in the
meantime changes nothing.

This file uses the standard library alone and imports nothing of the collection: the package `mlkeys` has it as well.
All errors are `OSError`, with the reason as ``strerror``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, NamedTuple

from .locks import exclusive

# A folder may be searched without the right to read it, where the system has a way to open it for that alone.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40

# Another run holds a folder for as long as a rename takes.
_PATIENCE_SECONDS = 10.0


class UnsafeLink(OSError):
    """Somebody else decides where a link leads."""


class UnsafeFile(OSError):
    """It may be another one than its owner meant."""


class UnsafeOwner(UnsafeFile):
    """Somebody put it there who may not have what is written into it."""


class Tree(NamedTuple):
    """A folder in which others than root and the caller may rename what they like, and all that is below it.

    Attributes:
        path: of that folder.
        uid: its owner.
        is_shared: whether others than its owner may write to it.
        is_sticky: whether each of them may rename only what is their own.
    """

    path: str
    uid: int
    is_shared: bool
    is_sticky: bool

    def __str__(self) -> str:
        return f"{self.path}, to which {'others' if self.is_shared else f'the user with ID {self.uid}'} may write"


class Folder:
    """An open folder.

    Attributes:
        path: without links.
        descriptor: may be good for nothing but reaching what is in the folder.
        tree: the tree of others that it is in, ``None`` where nobody else decides what is at its path.
    """

    def __init__(self, descriptor: int, path: str, above: Folder | None = None) -> None:
        self.descriptor = descriptor
        self.path = path
        self.tree: Tree | None = self._tree(None if above is None else above.tree)

    def _tree(self, above: Tree | None) -> Tree | None:
        status = os.fstat(self.descriptor)
        if self.is_ours:
            # Nobody moves a folder of another user into, or within, a folder in which all keep what is theirs.
            return None if above is not None and above.is_sticky else above
        is_shared = bool(status.st_mode & 0o022)
        if above is not None and above.uid == status.st_uid and not (above.is_shared or is_shared):
            return above
        is_sticky = bool(status.st_mode & stat.S_ISVTX) and _is_trusted(status.st_uid)
        return Tree(self.path, status.st_uid, is_shared, is_sticky)

    def __enter__(self) -> Folder:  # noqa: PYI034  Python 3.8 has no `Self`
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.descriptor)

    @property
    def is_ours(self) -> bool:
        """Whether nobody but root and the caller (and, unless that is root, the caller's groups) may change it."""
        status = os.fstat(self.descriptor)
        others = 0o022 if os.geteuid() == 0 else 0o002
        return _is_trusted(status.st_uid) and not status.st_mode & others

    def opens_to_others(self, owner: int) -> bool:
        """Whether somebody else decides who gets rights to what root makes in it, by its group and its default ACL.

        Args:
            owner: of what root makes, who may give rights to it as well.
        """
        uid = os.fstat(self.descriptor).st_uid
        return os.geteuid() == 0 and not _is_trusted(uid) and uid != owner

    def check_moved(self, status: os.stat_result) -> None:
        """Check that a file or folder is in it by the will of its owner, or of root or the caller.

        Raises:
            UnsafeFile: somebody else may have moved it there.
        """
        if self.tree is None or (status.st_uid == self.tree.uid and not self.tree.is_shared):
            return
        # Only those who may write to a folder move it to another one; a file, anyone who may write around it.
        is_folder = stat.S_ISDIR(status.st_mode)
        keeps = is_folder and self.tree.is_sticky and self.path == self.tree.path
        if not keeps or not _is_trusted(status.st_uid):
            owner, what = f"it belongs to the user with ID {status.st_uid}", "folder" if is_folder else "file"
            raise UnsafeFile(errno.EPERM, f"{owner}, and may be another {what} that was renamed in {self.tree}")

    def keeps_owner(self, status: os.stat_result, asked: int | None) -> bool:
        """Whether what replaces a file in it keeps the file's owner, rather than to get another one that is asked for.

        Raises:
            UnsafeOwner: none is asked for, and another user may have put the file there to get what is written into it.
        """
        if asked is not None and asked == status.st_uid:
            return True
        if self.tree is None or _is_trusted(status.st_uid) or self._is_owners(status.st_uid, self.tree):
            return True
        if asked is not None:
            return False
        owner = f"it is owned by the user with ID {status.st_uid}"
        raise UnsafeOwner(errno.EPERM, f"{owner}, who may have put it there: it is in {self.tree}")

    def _is_owners(self, uid: int, tree: Tree) -> bool:
        """Whether what a user owns in it is in a folder of that user, where nobody else may put it."""
        folder = os.fstat(self.descriptor)
        others = 0o022 if os.geteuid() == 0 else 0o002
        return uid in (tree.uid, folder.st_uid) and not (tree.is_shared and folder.st_mode & others)

    @contextlib.contextmanager
    def locked(self) -> Iterator[int | None]:
        """Keep other runs of this user from writing here.

        Gives a descriptor of the folder, ``None`` if it cannot be read. Then files stand for it among users.

        The lock is a file of this user alone: anyone who may read a folder could keep a lock of the folder itself. With
        runs of other users, `replacing` takes turns, as far as they let it.

        Raises:
            Busy: another run does not finish.
        """
        descriptor = None
        with contextlib.suppress(PermissionError):
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            status = os.fstat(self.descriptor)
            with exclusive(f"folder {status.st_dev:x}-{status.st_ino:x}", _PATIENCE_SECONDS):
                yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[Folder, str]]:
    """The folder of the file at a path, and the name that the file has there, which is not that of a link.

    Raises:
        UnsafeLink: somebody else owns a link on the way.
        FileNotFoundError: a folder on the way does not exist.
    """
    folder, name = _walked(path, keep_last=True)
    with folder:
        if not name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield folder, name


def real_path(path: str) -> str:
    """Where a path leads that is only to be read.

    Links of others are followed as well, as long as they stay in the tree of their owners.

    Raises:
        UnsafeLink: a link leads out of it, or somebody else owns one where only root and the caller may make it.
    """
    folder, name = _walked(path, keep_last=True, only_read=True)
    with folder:
        return os.path.join(folder.path, name) if name else folder.path


def folder_at(path: str) -> Folder:
    """The folder at a path, with links followed as `opened` follows them. To be used as a context manager."""
    return _walked(path, keep_last=False)[0]


def _walked(path: str, *, keep_last: bool, only_read: bool = False) -> tuple[Folder, str]:
    """The folder at a path; or the one that its last part is in, and that part, empty if it only leads to a folder."""
    way, todo, links = _Way(path), _parts(path), 0
    try:
        while todo:
            part = todo.pop()
            target = None if part == ".." else _link_target(way.folder, part, only_read=only_read)
            if target is not None:
                links += 1
                _check_number(links)
                todo += way.follow(part, target)
            elif keep_last and not todo and part != "..":
                return way.end(), part
            else:
                way.enter(part)
    except BaseException:
        way.close()
        raise
    return way.end(), ""


class _Way:
    """The open folders on the way to a place. One leads back to another even where somebody moves them meanwhile.

    Attributes:
        folder: the one that it has reached.
    """

    def __init__(self, path: str) -> None:
        self.folder = _start(path)
        self._before: list[Folder] = []
        self._fence: Tree | None = None
        self._link = ""

    def enter(self, name: str) -> None:
        """Go on to a folder in this one, or with ``..`` to the one above it.

        Raises:
            UnsafeLink: a link that others may have moved leads out of what is theirs.
        """
        if name != "..":
            below = os.open(name, _FOLDER, dir_fd=self.folder.descriptor)
            new = Folder(below, os.path.join(self.folder.path, name), self.folder)
            self._before.append(self.folder)
            self.folder = new
            return
        if self._fence is not None and self.folder.path == self._fence.path:
            raise _leads_out(self._link, self._fence)
        if self._before:
            os.close(self.folder.descriptor)
            self.folder = self._before.pop()
        else:
            above = os.open(name, _FOLDER, dir_fd=self.folder.descriptor)
            os.close(self.folder.descriptor)
            self.folder = Folder(above, os.path.dirname(self.folder.path))

    def follow(self, name: str, target: str) -> list[str]:
        """The parts of a link's target, the first one last, from the folder that this leads to.

        Raises:
            UnsafeLink: it leads out of what belongs to those that may have moved it.
        """
        tree = self.folder.tree
        if tree is not None:
            self._fence, self._link = tree, os.path.join(self.folder.path, name)
        if not target.startswith("/"):
            return _parts(target)
        if self._fence is None:
            start = _start(target)
            self.close()
            self._before, self.folder = [], start
            return _parts(target)
        inside = f"{self._fence.path}/"
        if not f"{target}/".startswith(inside):
            raise _leads_out(self._link, self._fence)
        while self.folder.path != self._fence.path and self._before:
            os.close(self.folder.descriptor)
            self.folder = self._before.pop()
        return _parts(target[len(inside) :])

    def end(self) -> Folder:
        """The folder that was reached. The others are closed."""
        for folder in self._before:
            os.close(folder.descriptor)
        return self.folder

    def close(self) -> None:
        os.close(self.end().descriptor)


def _leads_out(link: str, tree: Tree) -> UnsafeLink:
    return UnsafeLink(errno.ELOOP, f"{link} is a link that leads out of {tree}, and is not followed")


def _check_number(links: int) -> None:
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _start(path: str) -> Folder:
    if path.startswith("/"):
        return Folder(os.open("/", _FOLDER), "/")
    return Folder(os.open(".", _FOLDER), os.getcwd())


def _parts(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _link_target(folder: Folder, name: str, *, only_read: bool = False) -> str | None:
    """Where a link leads, ``None`` for what is not a link.

    Args:
        only_read: whether links of others are followed where they may have moved those of root as well.

    Raises:
        UnsafeLink: it is a link that neither root nor the caller made.
    """
    try:
        status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(status.st_mode):
        return None
    of_another = not _is_trusted(status.st_uid) or (status.st_nlink > 1 and not folder.is_ours)
    if of_another and not (only_read and folder.tree is not None):
        path = os.path.join(folder.path, name)
        raise UnsafeLink(errno.ELOOP, f"{path} is a link of the user with ID {status.st_uid}, and is not followed")
    target = os.readlink(name, dir_fd=folder.descriptor)
    again = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    if (_identity(again), again.st_ctime_ns) != (_identity(status), status.st_ctime_ns):
        raise UnsafeLink(errno.ESTALE, f"{os.path.join(folder.path, name)} was changed while it was looked at")
    return target


def _is_trusted(uid: int) -> bool:
    return uid in (0, os.geteuid())


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
