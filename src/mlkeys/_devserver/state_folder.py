# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The state folder of a development server (0700). Other processes use it to find the server:

    token         the root token, 0600
    address       http://127.0.0.1:PORT
    pid           of the server, which leads its own process group
    lock          held by the server process until it ends
    server.log    the server's output
    unseal_key    only if the data is kept (`persist`), 0600; beside `data/`

The lock shows whether the server runs: the kernel releases it when the process ends, however that happens. So neither
a recycled process ID nor a zombie is mistaken for a running server.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlkeys._errors import DevServerError
from mlkeys._shared._files import folders
from mlkeys._shared._files.attributes import Attributes
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._system import replacing

_LONGEST_LINE = 4096
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: What a server writes, besides `lock`, which is first and stays.
_WRITTEN = ("token", "address", "pid", "server.log", "config.hcl", "unseal_key")

PRIVATE = Attributes(mode=0o600)


def stop_detached(state: Path) -> bool:
    """Stop the server of this state folder and wait for its end; False if none runs."""
    if not runs(state):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        # A starting server holds the lock before its process ID is written.
        with suppress(FileNotFoundError, ProcessLookupError):
            os.killpg(_process_in(state), number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not runs(state):
                forget(state)
                return True
            time.sleep(POLL_SECONDS)
    raise DevServerError(f"The server in {state} does not stop.")


def _process_in(state: Path) -> int:
    """The process ID of the server. Anybody may have made the folder.

    Raises:
        FileNotFoundError: there is none.
        DevServerError: as for `read_line`, or it cannot be that of a server.
    """
    text = read_line(state / "pid")
    # 0 and negative numbers are other groups of processes, and 1 is that of the system.
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text) or text == "1":
        raise _damaged(state / "pid")
    return int(text)


def read_line(path: Path) -> str:
    """The text of one of the files.

    Raises:
        FileNotFoundError: it does not exist.
        DevServerError: it holds something else.
    """
    try:
        with opened_to_read(str(path)) as file:
            return file.read(_LONGEST_LINE).decode("ascii").strip()
    except UnicodeDecodeError:
        raise _damaged(path) from None


def _damaged(path: Path) -> DevServerError:
    return DevServerError(f"{path} is damaged. Restore it, or end the server by hand and remove the folder.")


@contextmanager
def locked(state: Path) -> Iterator[int | None]:
    """Hold the lock of a state folder; None if a running or starting server holds it.

    Raises:
        DevServerError: somebody else may write to the folder, and would name the process that is stopped.
    """
    descriptor = _lock_file(state)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        # Closed but not unlocked: the server inherited the descriptor and keeps the lock.
        os.close(descriptor)


def _lock_file(state: Path) -> int:
    try:
        with folders.folder_at(str(state)) as folder:
            if not folder.is_ours:
                raise DevServerError(
                    f"{state} belongs to another user, or others may write to it. Choose another folder, or remove "
                    "these rights."
                )
            return os.open("lock", _LOCK_FLAGS, 0o600, dir_fd=folder.descriptor)
    except OSError as error:
        raise DevServerError(f"{state} cannot be used: {error.strerror}.") from None


def runs(state: Path) -> bool:
    """Whether a server runs, or is starting, in the state folder."""
    if not os.path.lexists(state / "lock"):
        return False
    with locked(state) as lock:
        return lock is None


def forget(state: Path) -> None:
    """Remove the files that describe a stopped server. The token stays if the data is kept."""
    names = ["pid", "address"] if (state / "unseal_key").exists() else ["pid", "address", "token"]
    for name in names:
        replacing.remove(state / name)


def refuse_others(state: Path) -> None:
    """Refuse a folder in which a server would replace files of somebody else.

    Raises:
        DevServerError: there are such files, and no server was started in the folder before.
    """
    there = [name for name in _WRITTEN if os.path.lexists(state / name)]
    kept = (state / "unseal_key").is_file() and (state / "data").is_dir()
    if there and not kept and not os.path.lexists(state / "lock"):
        raise DevServerError(
            f"{state} has files that no development server wrote, and they are not replaced: {', '.join(there)}. "
            "Choose another folder."
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from the first moment and whole or not at all."""
    with replacing.opened(path) as file:
        file.replace(text.encode(), PRIVATE)
