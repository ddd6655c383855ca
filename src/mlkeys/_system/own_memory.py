# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the other processes of the same user see of this one, among them those that it starts."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Let no other process but root's read the memory of this one, until it becomes another program. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def blank(variables: Iterable[str]) -> None:
    """Overwrite the values of variables where the system shows what a process was started with.

    Whatever has read them, such as `os.environ`, keeps them.
    """
    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_void_p
    for variable in variables:
        address = library.getenv(variable.encode("utf-8", "surrogateescape"))
        if address:
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
