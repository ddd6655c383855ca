# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A folder in memory for the plaintext that an editor opens as a file. It is wiped at the end."""

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
# The magic numbers of tmpfs and ramfs (statfs(2)).
_IN_MEMORY = (0x01021994, 0x858458F6)
_CHUNK = 1024 * 1024


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A folder with mode 0700 in `parent`. Folders that killed processes left there are wiped as well.

    Raises:
        MlkeysError: it cannot be created.
    """
    _wipe_leftovers(parent)
    folder, lock = None, -1
    try:
        with holding_signals():
            try:
                folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
                # Held until this process ends, however that happens: it shows others that the folder is in use.
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                problem = error.strerror or "unknown error"
                raise MlkeysError(f"{parent}: cannot create a folder for the plaintext ({problem}).") from None
        yield folder
    finally:
        with holding_signals():
            if folder is not None:
                wipe(folder)
            if lock >= 0:
                os.close(lock)


def folder_in_memory(environ: Mapping[str, str]) -> Path:
    """A place whose files never reach a disk: the user's runtime folder, or else the shared memory of the machine.

    Raises:
        MlkeysError: neither is in memory and writable.
    """
    for name in (environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108  the folder in it is private
        if name and os.access(name, os.W_OK | os.X_OK) and is_in_memory(Path(name)):
            return Path(name)
    raise MlkeysError(
        "Neither XDG_RUNTIME_DIR nor /dev/shm is a writable file system in memory (tmpfs), so the plaintext would be "
        "written to a disk. To accept that, name a folder with --folder."
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


def wipe(folder: Path) -> None:
    """Overwrite every file below a folder with zeros, and remove the folder."""
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
