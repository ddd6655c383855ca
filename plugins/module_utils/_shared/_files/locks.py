# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Locks between the processes of a user on this machine. **Private**.

A lock is a file of this user alone, in a folder in memory where the system has one. It is gone once nobody holds it.

This file uses the standard library alone and imports nothing of the collection: the package `mlkeys` has it as well.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from typing import Iterable, Iterator

_POLL_SECONDS = 0.02


class Busy(OSError):
    """Another process does not release the lock."""


@contextlib.contextmanager
def exclusive_all(names: Iterable[str]) -> Iterator[None]:
    """The same for several names, in an order that keeps two processes from waiting for each other."""
    with contextlib.ExitStack() as held:
        for name in sorted(set(names)):
            held.enter_context(exclusive(name))
        yield


@contextlib.contextmanager
def exclusive(name: str, patience: float | None = None) -> Iterator[None]:
    """Wait until no other process holds the lock of this name, and hold it.

    Where the system has no place for it, nothing is locked.

    Args:
        patience: how many seconds to wait at most; ``None`` for as long as it takes.

    Raises:
        Busy: another process held it for longer.
    """
    with contextlib.ExitStack() as held:
        place = _lock_folder()
        if place is not None:
            held.callback(os.close, place)
            _hold(held, place, hashlib.sha256(name.encode("utf-8")).hexdigest(), patience)
        yield


def _hold(held: contextlib.ExitStack, place: int, name: str, patience: float | None) -> None:
    """Hold a file until the stack is left. Then it is gone."""
    deadline = None if patience is None else time.monotonic() + patience
    while True:
        try:
            lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=place)
        except OSError:
            return
        if _is_locked(lock, place, name, wait=deadline is None):
            held.callback(os.close, lock)
            # While the lock is held: who waits for this file finds that it is not the one of that name any more.
            held.callback(_remove, place, name)
            return
        os.close(lock)
        if deadline is not None and time.monotonic() > deadline:
            raise Busy(errno.EBUSY, "another run is writing in its folder")
        time.sleep(_POLL_SECONDS)


def _is_locked(lock: int, place: int, name: str, *, wait: bool) -> bool:
    """Lock a file. Returns whether it could be locked, and still has its name."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), os.stat(name, dir_fd=place, follow_symlinks=False))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # a file system without locks
        return True


def _remove(place: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=place)


def _lock_folder() -> int | None:
    """The folder of this user's locks, ``None`` where the system has no place for it."""
    place = os.path.join(_parent(), f"mlkeys-locks-{os.geteuid()}")
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    # Anybody may make a folder of this name first.
    status = os.fstat(folder)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
        return folder
    os.close(folder)
    return None


def _parent() -> str:
    parent = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
    # After `su`, the variable may still name a folder of another user.
    is_ours = os.path.isdir(parent) and os.stat(parent).st_uid == os.geteuid()
    return parent if is_ours else "/tmp"  # noqa: S108  the folder in it is private
