# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Files that are opened without waiting for anybody. **Private**.

A named pipe that somebody put in the place of a file would keep a reader forever, and a device may have no end.

This file uses the standard library alone and imports nothing of the collection: the package `mlkeys` has it as well.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import BinaryIO

_FLAGS = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
# What the caller has open, as a shell names it, and nothing.
_OWN = re.compile(r"/dev/(?:stdin|null|fd/\d+)|/proc/self/fd/\d+")


def opened_to_read(path: str) -> BinaryIO:
    """A regular file at a path, or what the caller has open. To be used as a context manager.

    Raises:
        OSError: it cannot be read, or is a folder, a pipe or a device.
    """
    own = _OWN.fullmatch(path) is not None
    descriptor = os.open(path, _FLAGS if own else _FLAGS | os.O_NONBLOCK)
    try:
        _check(os.fstat(descriptor).st_mode, own=own)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check(mode: int, *, own: bool) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (own or stat.S_ISREG(mode)):
        raise OSError(errno.EINVAL, "it is not a regular file")
