# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Why the ciphertexts of a file cannot be replaced, whatever they are. **Private** to the collection."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Walk
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import VERSION_CONTROL_FOLDERS

LINKED = (
    "it has other names (hard links) outside of the searched places, which would keep the old ciphertext: search them "
    "too, or replace the file by a copy"
)
MOUNTED = (
    "it is mounted by itself (a bind mount), so that no other file can take its place: search the file that is mounted "
    "there instead, or unmount it"
)
# With this begins the reason for what the system does not allow. The user can change that.
UNWRITABLE = "it cannot be written"

# FS_IOC_GETFLAGS of Linux. Where the number is another one, the kernel knows no such request.
_GET_FLAGS = 0x80006601 | struct.calcsize("l") << 16
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20

# The place of the mount point in a line of mountinfo, which writes blanks in octal digits.
_MOUNT_POINT = 4


_ESCAPED = re.compile(r"\\([0-7]{3})")


def mount_points(table: str = "/proc/self/mountinfo") -> frozenset[str]:
    """The places of mounts, which no rename can replace; none where the kernel does not list them."""
    found = set()
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                words = line.split(" ")
                if len(words) > _MOUNT_POINT:
                    found.add(_ESCAPED.sub(lambda code: chr(int(code.group(1), 8)), words[_MOUNT_POINT]))
    except OSError:
        pass
    return frozenset(found)


def unwritable(error: OSError) -> str:
    return f"{UNWRITABLE} ({error.strerror or 'unknown error'})"


class Obstacles:
    """What stands in the way of files, as a rewrite would find it."""

    def __init__(self, places: Walk) -> None:
        self._linked = places.linked
        self._mounts = mount_points()
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """What stands in the way of one, empty for nothing."""
        if path in self._linked:
            return LINKED
        if path in self._mounts:
            return MOUNTED
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = _of_folder(folder)
        return self._folders[folder] or _of_file(path, folder)


def _of_folder(folder: str) -> str:
    kept = next((name for name in folder.split(os.sep) if name in VERSION_CONTROL_FOLDERS), "")
    if kept:
        return f"it is in {kept}, where nothing is rewritten"
    # A new file takes the place of the old one.
    effective = os.access in os.supports_effective_ids
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        return _not_permitted() if _is_fixed(folder) else ""
    try:
        code = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
    except OSError as error:
        # It is gone, or cannot be reached any more.
        return unwritable(error)
    return unwritable(OSError(code, os.strerror(code)))


def _of_file(path: str, folder: str) -> str:
    """Why no other file can take the place of this one in a folder that can be written."""
    return _not_permitted() if _is_fixed(path) or _is_kept_by_its_owner(path, folder) else ""


def _not_permitted() -> str:
    return unwritable(OSError(errno.EPERM, os.strerror(errno.EPERM)))


def _is_fixed(path: str) -> bool:
    """Whether it has an attribute (`chattr`) that keeps even root from replacing it, or names in it."""
    flags = bytearray(struct.calcsize("l"))
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # The search reports what cannot be read.
        return False
    try:
        fcntl.ioctl(opened, _GET_FLAGS, flags)
    except OSError:
        # This file system has no such attributes.
        return False
    finally:
        os.close(opened)
    return bool(struct.unpack_from("i", flags)[0] & (_IMMUTABLE | _APPEND_ONLY))


def _is_kept_by_its_owner(path: str, folder: str) -> bool:
    """Whether the folder is like `/tmp`, where files of others cannot be replaced."""
    try:
        shared, file = os.stat(folder), os.lstat(path)
    except OSError:
        return False
    return bool(shared.st_mode & stat.S_ISVTX) and os.geteuid() not in (0, shared.st_uid, file.st_uid)
