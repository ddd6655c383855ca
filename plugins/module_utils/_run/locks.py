# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Locks between the processes of a user on this machine. **Private** to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
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
    try:
        place = _folder()
    except OSError:
        return None
    try:
        status = os.fstat(place)
        # Anybody may make a folder of this name first.
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=place)
    except OSError:
        return None
    finally:
        os.close(place)


def _folder() -> int:
    parent = os.environ.get("XDG_RUNTIME_DIR", "")
    # After `su`, the variable may still name a folder of another user.
    if not os.path.isdir(parent) or os.stat(parent).st_uid != os.geteuid():
        parent = "/run" if os.geteuid() == 0 else tempfile.gettempdir()
    place = os.path.join(parent, f"mlkeys-{os.geteuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, 0o700)
    return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
