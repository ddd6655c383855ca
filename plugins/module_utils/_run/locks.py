# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Locks between the processes of a user on this machine. **Private** to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from typing import Iterable, Iterator


@contextlib.contextmanager
def exclusive_all(names: Iterable[str]) -> Iterator[None]:
    """The same for several names, in an order that keeps two processes from waiting for each other."""
    with contextlib.ExitStack() as held:
        for name in sorted(set(names)):
            held.enter_context(exclusive(name))
        yield


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait until no other process holds the lock of this name, and hold it.

    Where the system has no place for it, nothing is locked: the server still keeps each request apart.
    """
    descriptor = _opened(hashlib.sha256(name.encode("utf-8")).hexdigest())
    try:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _opened(name: str) -> int | None:
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    place = os.path.join(folder, f"mlkeys-{os.geteuid()}")
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
        status = os.lstat(place)
        # Anybody may make a folder of this name first.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return None
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(os.path.join(place, name), flags, 0o600)
    except OSError:
        return None
