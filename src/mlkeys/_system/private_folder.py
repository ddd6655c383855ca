# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A folder in memory for plaintext that an editor needs as a file. Whatever is in it is wiped at the end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._system.processes import holding_signals

_PREFIX = "mlkeys-edit-"
# The numbers by which Linux knows file systems that are in memory: tmpfs and ramfs.
_IN_MEMORY = (0x01021994, 0x858458F6)
_CHUNK = 1024 * 1024


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A folder of mode 0700 below `parent`. What an earlier process left there when it was killed is wiped as well.

    Raises:
        MlkeysError: it cannot be made.
    """
    _wipe_leftovers(parent)
    folder, lock, problem = None, -1, ""
    try:
        with holding_signals():
            try:
                folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
                # Held until this process ends, in whatever way: by it others know that the folder is in use.
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                problem = error.strerror or "unknown error"
        if problem or folder is None:
            raise MlkeysError(f"{parent}: no folder for the plaintext can be made there ({problem}).")
        yield folder
    finally:
        with holding_signals():
            if folder is not None:
                wipe(folder)
            if lock >= 0:
                os.close(lock)


def folder_in_memory(environ: Mapping[str, str]) -> Path:
    """Where files never reach a disk: the user's runtime folder, else the shared memory of the machine.

    Raises:
        MlkeysError: there is no such place.
    """
    for name in (environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108  the folder in it is private
        if name and os.access(name, os.W_OK | os.X_OK) and is_in_memory(Path(name)):
            return Path(name)
    raise MlkeysError(
        "Neither XDG_RUNTIME_DIR nor /dev/shm is a file system in memory (tmpfs) that may be written to. Plaintext "
        "would reach a disk. If that is all right, name a folder for it with --folder."
    )


def is_in_memory(folder: Path) -> bool:
    """Whether what is written there stays in memory, as statfs(2) tells."""
    library = ctypes.CDLL(None, use_errno=True)
    # Larger than the structure of any architecture; its first member is the type.
    buffer = ctypes.create_string_buffer(512)
    if not hasattr(library, "statfs") or library.statfs(os.fsencode(folder), buffer) != 0:
        return False
    return any(_type(buffer.raw, size) in _IN_MEMORY for size in (4, 8))


def _type(raw: bytes, size: int) -> int:
    return int.from_bytes(raw[:size], sys.byteorder)


def wipe(folder: Path) -> None:
    """Overwrite every file below a folder with zeros, and remove all of it."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _overwrite(Path(parent, name))
    shutil.rmtree(folder, ignore_errors=True)


def _overwrite(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            left = os.fstat(descriptor).st_size
            while left > 0:
                left -= os.write(descriptor, bytes(min(left, _CHUNK)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wipe_leftovers(parent: Path) -> None:
    with suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    if os.fstat(descriptor).st_uid == os.geteuid():
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        wipe(folder)
                finally:
                    os.close(descriptor)
