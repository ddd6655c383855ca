# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Files that are replaced in one step or not at all, also in folders that others may write to. **Private**.

Files are reached by the descriptor of their open folder (see `folders`). The new content has a random name until it is
complete; its owner, mode and other attributes are set by its own descriptor, never by a name.

This file uses the standard library alone and imports nothing of the collection: the package `mlkeys` has it as well.
All errors are `OSError`, with the reason as ``strerror``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from typing import BinaryIO, ContextManager, Iterator, Protocol

from .attributes import KEEP, Attributes, belong_to_caller, copy_attributes, give, keep_owner, label_of

_NEW_MODE = 0o600
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_TEMPORARY = re.compile(r"\.mlkeys-[0-9a-f]{16}")

# Anyone who may read a file may lock it. After so long a run goes on: it replaces nothing that has changed.
_PATIENCE_SECONDS = 30.0
# What a process waits for other users altogether, each of which holds a folder for as long as a rename takes.
_others = {"seconds": 1.0}
_POLL_SECONDS = 0.02

# What is read as a whole. A file of a few blocks may say that it is as large as a disk.
MOST_BYTES = 64 * 1024 * 1024


class UnsafeFile(OSError):
    """It may be another file than its owner meant."""


class ChangedMeanwhile(OSError):
    """Somebody else replaced the file since it was opened."""


class Folder(Protocol):
    """An open folder."""

    path: str
    descriptor: int

    @property
    def is_ours(self) -> bool: ...

    def opens_to_others(self, owner: int) -> bool: ...

    def locked(self) -> ContextManager[int | None]: ...

    def check_moved(self, status: os.stat_result) -> None: ...

    def keeps_owner(self, status: os.stat_result, asked: int | None) -> bool: ...


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that a run has not finished writing."""
    return _TEMPORARY.fullmatch(name) is not None


def check_size(size: int, says: str = "it is") -> None:
    """Raises `OSError` for what is not read as a whole."""
    if size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{says} larger than {MOST_BYTES >> 20} MiB")


def temporary_name() -> str:
    return f".mlkeys-{os.urandom(8).hex()}"


def sweep(folder: Folder) -> None:
    """Remove what killed runs left in a folder. What a living run is writing is locked."""
    with folder.locked() as descriptor:
        for name in filter(is_temporary, () if descriptor is None else os.listdir(descriptor)):
            with contextlib.suppress(OSError):
                left = os.open(name, _READ, dir_fd=folder.descriptor)
                try:
                    fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(name, dir_fd=folder.descriptor)
                finally:
                    os.close(left)


class File:
    """A file in an open folder, as it was when it was opened.

    Attributes:
        status: its own, ``None`` if there is no file.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name
        self.path = os.path.join(folder.path, name)
        self.status: os.stat_result | None = None
        self._descriptor = -1

    def __enter__(self) -> File:  # noqa: PYI034  Python 3.8 has no `Self`
        found = self._found()
        if found is None:
            return self
        if not stat.S_ISREG(found.st_mode):
            raise _not_a_file(found)
        with contextlib.suppress(PermissionError):
            self._descriptor = os.open(self.name, _READ, dir_fd=self.folder.descriptor)
        try:
            self.status = self._checked()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _checked(self) -> os.stat_result:
        """What the open file is. While it is open, no other file gets its number."""
        found = self._found()
        if found is None or (self._descriptor >= 0 and _identity(os.fstat(self._descriptor)) != _identity(found)):
            raise _changed()
        # One look finds the file under this name, and how many names it has.
        if found.st_nlink > 1 and not self.folder.is_ours:
            raise UnsafeFile(errno.EMLINK, "it has other names (hard links), and others may write to its folder")
        return found

    def read(self) -> bytes | None:
        """Its content, ``None`` if there is no file."""
        if self.status is None:
            return None
        check_size(self.status.st_size)
        with self.stream() as file:
            return file.read()

    def stream(self) -> BinaryIO:
        """Its content from the beginning, unbuffered. The file stays open meanwhile."""
        if self.status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self._descriptor < 0:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return open(self._descriptor, "rb", buffering=0, closefd=False)

    def label(self) -> str | None:
        """Its SELinux context, ``None`` where there is none."""
        return label_of(self._descriptor)

    def set(self, attributes: Attributes) -> None:
        """Give attributes to the file as it is."""
        if self._descriptor < 0:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        give(self._descriptor, attributes)

    def replace(self, content: bytes, attributes: Attributes = KEEP) -> None:
        """Give it another content. Raises `ChangedMeanwhile` if it is not what it was when it was opened."""
        # No run could read it again.
        check_size(len(content), "it would be")
        with NewFile(self.folder) as new:
            new.write(content)
            new.take(self, attributes)
            new.place(self)

    def wait_for_others(self) -> None:
        """Wait until no other run that does this has the file open, if it can be locked. Raises what `place` does."""
        _lock(self._descriptor, _PATIENCE_SECONDS)
        self.check_unchanged()

    def take_turn(self, folder: int | None) -> None:
        """Wait for runs of other users: at a folder, or at the file if there is none. It delays a run, stops none."""
        end = time.monotonic() + _others["seconds"]
        _lock(self._descriptor if folder is None else folder, _others["seconds"])
        _others["seconds"] = max(0.0, end - time.monotonic())
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raises `ChangedMeanwhile` if it is not what it was when it was opened."""
        found = self._found()
        if (found and _state(found)) != (self.status and _state(self.status)):
            raise _changed()

    def give_to(self, new: int, attributes: Attributes) -> None:
        """Give a new file, by its descriptor, what this one has, unless it is to have something else."""
        mode, label = _NEW_MODE, None
        keeps = self.status is not None and self.folder.keeps_owner(self.status, attributes.uid)
        owner = self.status.st_uid if self.status is not None and keeps else os.geteuid()
        opens_to_others = self.folder.opens_to_others(owner if attributes.uid is None else attributes.uid)
        if opens_to_others:
            belong_to_caller(new)
        if self.status is not None and keeps:
            mode, label = stat.S_IMODE(self.status.st_mode), label_of(self._descriptor)
            # Rights that others gave to their file, or to all files of their folder, might let them read the new one.
            is_ours = self.status.st_uid in (0, os.geteuid()) and not opens_to_others
            copy_attributes(self._descriptor, new, "" if is_ours else "user.")
            kept = keep_owner(self.status, new)
            if not kept or attributes.uid not in (None, self.status.st_uid):
                # What runs as its owner does so for that one alone.
                mode &= 0o777
        mode = mode if attributes.mode is None else attributes.mode
        give(new, Attributes(attributes.uid, attributes.gid, mode, attributes.label or label))

    def _found(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None


class NewFile:
    """A file on its way into the place of another one, or of none. To be used as a context manager."""

    def __init__(self, folder: Folder, mode: int = _NEW_MODE) -> None:
        """
        Args:
            folder: where it waits, on the file system of its place.
            mode: of which the process may take bits away.
        """
        self._folder = folder
        self._mode = mode
        self._name = temporary_name()
        self._descriptor = -1
        self._identity = (0, 0)
        self._is_there = False

    def __enter__(self) -> NewFile:  # noqa: PYI034  Python 3.8 has no `Self`
        try:
            with self._folder.locked():
                self._descriptor = os.open(self._name, _CREATE, self._mode, dir_fd=self._folder.descriptor)
                self._is_there = True
                self._identity = _identity(os.fstat(self._descriptor))
                with contextlib.suppress(OSError):
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._is_there:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder.descriptor)
        self.close()

    def close(self) -> None:
        """Let go of the descriptor. The file can still be placed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, content: bytes, *, flush: bool = True) -> None:
        """
        Args:
            flush: whether it is on the disk afterwards, as far as the system knows.
        """
        with self.stream(flush=flush) as file:
            file.write(content)

    @contextlib.contextmanager
    def stream(self, *, flush: bool = True) -> Iterator[BinaryIO]:
        """A stream to write the content to.

        Args:
            flush: as for `write`.
        """
        with open(self._descriptor, "wb", closefd=False) as file:
            yield file
            file.flush()
            if flush:
                os.fsync(self._descriptor)

    def take(self, file: File, attributes: Attributes = KEEP) -> None:
        """Get the attributes of the file that it will replace, but for those that are given."""
        file.give_to(self._descriptor, attributes)

    def place(self, file: File, *, flush: bool = True) -> None:
        """Put it into the place of a file.

        Raises:
            ChangedMeanwhile: the file is not what it was, or somebody interfered.
        """
        with file.folder.locked() as descriptor:
            file.take_turn(descriptor)
            source, target = self._folder.descriptor, file.folder.descriptor
            if descriptor is None and file.status is None:
                # Over nothing that somebody else creates at this moment.
                os.link(self._name, file.name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
                os.unlink(self._name, dir_fd=source)
            else:
                os.replace(self._name, file.name, src_dir_fd=source, dst_dir_fd=target)
            self._is_there = False
            placed = os.stat(file.name, dir_fd=target, follow_symlinks=False)
            if _identity(placed) != self._identity:
                raise _changed()
            if flush and descriptor is not None:
                flush_folder(descriptor)


def _lock(descriptor: int, seconds: float) -> None:
    """Lock what is open until it is closed, unless others keep it locked, or it cannot be."""
    with contextlib.suppress(OSError, ValueError):
        for _turn in range(1 + int(seconds / _POLL_SECONDS)):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_POLL_SECONDS)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _state(status: os.stat_result) -> tuple[int, ...]:
    return (*_identity(status), status.st_size, status.st_mtime_ns)


def _changed() -> ChangedMeanwhile:
    return ChangedMeanwhile(errno.ESTALE, "it was changed by somebody else meanwhile")


def _not_a_file(status: os.stat_result) -> OSError:
    if stat.S_ISDIR(status.st_mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return UnsafeFile(errno.EINVAL, "it is not a regular file")


def flush_folder(descriptor: int) -> None:
    """Have on the disk which files are in a folder, as far as the system knows and its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise
