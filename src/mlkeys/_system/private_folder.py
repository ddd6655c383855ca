# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A folder in memory for the plaintext that an editor opens as a file. It is wiped at the end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._shared._files.folders import Folder, folder_at
from mlkeys._system.processes import holding_signals

_PREFIX = "mlkeys-edit-"
# The magic numbers of tmpfs and ramfs (statfs(2)).
_IN_MEMORY = (0x01021994, 0x858458F6)
_CHUNK = 1024 * 1024
_TO_WIPE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A folder with mode 0700 in `parent`. Folders that killed processes left there are wiped as well.

    The editor reaches it by its path, so nobody else may be able to put another folder there.

    Raises:
        MlkeysError: it cannot be created, or others may rename it.
    """
    try:
        above = folder_at(str(parent))
    except OSError as error:
        raise _not_created(parent, error.strerror) from None
    with above:
        if not _stays(above):
            raise MlkeysError(
                f"{parent}: another user may rename what is in it{'' if above.tree is None else f' ({above.tree})'}. "
                "Name a folder with --folder that only you or root may change."
            )
        _wipe_leftovers(above)
        with _made(above) as name:
            yield Path(above.path, name)


@contextmanager
def _made(above: Folder) -> Iterator[str]:
    """A folder in another one, for the time of the block."""
    name, lock = "", -1
    try:
        with holding_signals():
            try:
                made = f"{_PREFIX}{secrets.token_hex(8)}"
                os.mkdir(made, 0o700, dir_fd=above.descriptor)
                name = made
                # Held until this process ends, however that happens: it shows others that the folder is in use.
                lock = os.open(name, _TO_WIPE, dir_fd=above.descriptor)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise _not_created(Path(above.path), error.strerror) from None
        yield name
    finally:
        with holding_signals():
            if lock >= 0:
                _wipe(lock)
            if name:
                shutil.rmtree(name, ignore_errors=True, dir_fd=above.descriptor)
            if lock >= 0:
                os.close(lock)


def _not_created(parent: Path, problem: str | None) -> MlkeysError:
    return MlkeysError(f"{parent}: cannot create a folder for the plaintext ({problem or 'unknown error'}).")


def _stays(folder: Folder) -> bool:
    """Whether what this user makes in a folder keeps its path, whatever others do."""
    return folder.tree is None or (folder.tree.is_sticky and folder.tree.path == folder.path)


def folder_in_memory(environ: Mapping[str, str]) -> Path:
    """A place whose files never reach a disk: the user's runtime folder, or else the shared memory of the machine.

    Raises:
        MlkeysError: neither is in memory, writable, and safe from other users.
    """
    # After `su`, it may still be the folder of another user.
    for name in (environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108  the folder in it is private
        if name and os.access(name, os.W_OK | os.X_OK) and is_in_memory(Path(name)) and _is_safe(name):
            return Path(name)
    raise MlkeysError(
        "Neither XDG_RUNTIME_DIR nor /dev/shm is a writable file system in memory (tmpfs) that only you or root may "
        "change, so the plaintext would be written to a disk. To accept that, name a folder with --folder."
    )


def is_in_memory(folder: Path) -> bool:
    """Whether files there stay in memory, according to statfs(2)."""
    library = ctypes.CDLL(None, use_errno=True)
    # Larger than the structure on any architecture; its first member is the type.
    buffer = ctypes.create_string_buffer(512)
    if not hasattr(library, "statfs") or library.statfs(os.fsencode(folder), buffer) != 0:
        return False
    return any(_type(buffer.raw, size) in _IN_MEMORY for size in (4, 8))


def _type(raw: bytes, size: int) -> int:
    return int.from_bytes(raw[:size], sys.byteorder)


def _is_safe(path: str) -> bool:
    with suppress(OSError), folder_at(path) as folder:
        return _stays(folder)
    return False


def _wipe(folder: int) -> None:
    """Overwrite every file below an open folder with zeros. No link is followed."""
    for _, _, names, parent in os.fwalk(".", dir_fd=folder):
        for name in names:
            _overwrite(name, parent)


def _overwrite(name: str, parent: int) -> None:
    with suppress(OSError):
        descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            left = os.fstat(descriptor).st_size
            while left > 0:
                left -= os.write(descriptor, bytes(min(left, _CHUNK)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wipe_leftovers(above: Folder) -> None:
    with suppress(OSError):
        # The folder itself may be open for nothing but reaching what is in it.
        listed = os.open(".", _TO_WIPE, dir_fd=above.descriptor)
        try:
            with os.scandir(listed) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(_PREFIX)]
            for name in names:
                with suppress(OSError):
                    _wipe_leftover(name, listed)
        finally:
            os.close(listed)


def _wipe_leftover(name: str, parent: int) -> None:
    descriptor = os.open(name, _TO_WIPE, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        # Folders of this command are private. To another one, others may have linked files of this user.
        if status.st_uid == os.geteuid() and not status.st_mode & 0o022:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _wipe(descriptor)
            shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
    finally:
        os.close(descriptor)
