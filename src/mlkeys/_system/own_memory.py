# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the other processes of the same user see of this one, among them those that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping

_PR_SET_DUMPABLE = 4

_HANDED_OVER = "MLKEYS_RUN_HANDED_OVER"
_READY = b"\n"


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


class HandOver:
    """Variables for another process of `mlkeys`, which others do not see in what it was started with.

    Attributes:
        environment: what it is started with, to which `theirs` is passed on.
    """

    def __init__(self, environment: Mapping[str, str], hidden: Iterable[str]) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._values = {name: environment[name] for name in hidden}
        shown = {name: value for name, value in environment.items() if name not in self._values}
        self.environment = {**shown, _HANDED_OVER: str(self.theirs.fileno())}

    def give(self) -> None:
        """Give them, once the other process has closed itself to others. If it ends before, nobody gets them."""
        self.theirs.close()
        with self._ours, contextlib.suppress(OSError):
            if self._ours.recv(1) == _READY:
                self._ours.sendall(json.dumps(self._values).encode("ascii"))


def take_over() -> None:
    """Get the variables that the process that started this one hands over. To be called after `close_to_others`."""
    number = os.environ.pop(_HANDED_OVER, "")
    if not number:
        return
    with socket.socket(fileno=int(number)) as given:
        given.sendall(_READY)
        with given.makefile("rb") as stream:
            os.environ.update(json.loads(stream.read() or b"{}"))
