# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files without a place on any disk: they are gone when the last process that has them open ends."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._shared._files.folders import Folder, folder_at

# Above the numbers that shells and programs use by themselves, and the same in each run, as links name it, unless the
# caller hands over a file of that number, as scripts do with flock.
_FIRST = 200
_LONGEST_NAME = 200
_MADE = re.compile(r"/proc/self/fd/([1-9][0-9]{2,8})", re.ASCII)
_OF_SYSTEM = re.compile(r"/(?:proc|dev(?!/shm/))/")


def memory_files(contents: Mapping[str, bytes], shared: Mapping[str, int] | None = None) -> dict[str, Path]:
    """Make a file in memory for each content, which this process and the programs that it becomes can read.

    Args:
        shared: empty files of another process, which can write to them again.

    Returns:
        The path of each. It means the same file in all processes that inherited it.

    Raises:
        MlkeysError: the system has no such files, or allows too few.
    """
    if not hasattr(os, "memfd_create"):
        raise MlkeysError("This system has no files in memory (memfd_create): --file cannot be used here.")
    made = {}
    for name, content in contents.items():
        try:
            number = _opened(shared[name], content) if shared and name in shared else _make(name, content)
            made[name] = Path(f"/proc/self/fd/{number}")
        except OSError as error:
            problem, needed = error.strerror or "unknown error", _FIRST + len(contents) - 1
            raise MlkeysError(
                f"The file in memory for {name} cannot be made: {problem}. 'ulimit -n' must be above {needed}."
            ) from None
    return made


def _make(name: str, content: bytes) -> int:
    """
    Returns:
        The file's number, which no other open file has.
    """
    descriptor = shared_file(name)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(descriptor, 0o400)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        # Unlike other calls of Python, it makes one that programs inherit.
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, _FIRST)


def shared_file(name: str) -> int:
    """An empty file in memory, for this process to fill or to give to another one."""
    # The name is for people. The system allows 249 bytes.
    return os.memfd_create(name[:_LONGEST_NAME], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def fill(descriptor: int, content: bytes) -> None:
    """Replace the content of a shared file. A process that has it open reads the new one from its beginning."""
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], written)
    os.ftruncate(descriptor, len(content))


def _opened(descriptor: int, content: bytes) -> int:
    """Fill a shared file.

    Returns:
        The number of the file, opened so that it can only be read.
    """
    fill(descriptor, content)
    os.fchmod(descriptor, 0o400)
    read_only = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    os.close(descriptor)
    try:
        return fcntl.fcntl(read_only, fcntl.F_DUPFD, _FIRST)
    finally:
        os.close(read_only)


def link(place: Path, target: Path) -> None:
    """Make `place` a link to a file in memory. It replaces the link of an earlier run, and nothing else.

    Raises:
        MlkeysError: there is something else, or the folder does not exist, or a link of somebody else leads there.
    """
    try:
        with folder_at(str(place.parent)) as folder:
            if _is_ours(folder, place.name):
                os.unlink(place.name, dir_fd=folder.descriptor)
            os.symlink(target, place.name, dir_fd=folder.descriptor)
    except FileExistsError:
        raise MlkeysError(f"{place} exists and was not made by 'mlkeys run'. Choose another path.") from None
    except OSError as error:
        raise MlkeysError(f"{place} cannot be created: {error.strerror}.") from None


def _is_ours(folder: Folder, name: str) -> bool:
    """Whether a name is that of a link that `link` made. The system has such links as well, such as /dev/stdin."""
    if _OF_SYSTEM.match(f"{folder.path}/"):
        return False
    try:
        status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        number = _MADE.fullmatch(os.readlink(name, dir_fd=folder.descriptor))
    except OSError:
        return False
    return number is not None and int(number[1]) >= _FIRST and status.st_uid == os.geteuid()
