# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the other processes of the same user see of this one, among them those that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

_PR_SET_DUMPABLE = 4

_HANDED_OVER = "MLKEYS_RUN_HANDED_OVER"
_READY = b"\n"
#: The reason of a process that gave none.
ENDED = "mlkeys ended."
# JSON has none of it.
_END = b"\0"


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

    It decrypts, and then waits for this process to let it go on.

    Attributes:
        environment: what it is started with, to which `theirs` is passed on.
    """

    def __init__(self, environment: Mapping[str, str], hidden: Iterable[str], orders: Mapping[str, Any]) -> None:
        self._ours, self.theirs = socket.socketpair()
        values = {name: environment[name] for name in hidden}
        self._given = json.dumps({"variables": values, **orders}).encode("ascii") + _END
        shown = {name: value for name, value in environment.items() if name not in values}
        self.environment = {**shown, _HANDED_OVER: str(self.theirs.fileno())}

    def give(self) -> None:
        """Give them, once the other process has closed itself to others. If it ends before, nobody gets them."""
        self.theirs.close()
        with contextlib.suppress(OSError):
            if self._ours.recv(1) == _READY:
                self._ours.sendall(self._given)

    def answer(self, seconds: float) -> str | None:
        """Why the other process cannot go on, empty if it can, ``None`` without an answer in this time."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return None
        said = b""
        with contextlib.suppress(OSError):
            # After a reason, the other process ends.
            while said != _READY and (part := self._ours.recv(65536)):
                said += part
        return "" if said == _READY else said.decode("utf-8", "replace") or ENDED

    def let_go(self) -> None:
        """Let the other process go on."""
        with contextlib.suppress(OSError):
            self._ours.sendall(_READY)
        self.close()

    def close(self) -> None:
        """Let it end, if it has not been let go."""
        self._ours.close()


class Parent:
    """The process of `mlkeys` that started this one, and handed something over.

    Attributes:
        orders: what it wants, besides the variables.
    """

    def __init__(self, channel: socket.socket, orders: Mapping[str, Any]) -> None:
        self._channel = channel
        self.orders = orders

    def lets_go(self) -> bool:
        """Whether it lets this process go on, which can."""
        with self._channel, contextlib.suppress(OSError):
            self._channel.sendall(_READY)
            return self._channel.recv(1) == _READY
        return False

    def refuse(self, reason: str) -> None:
        """Say why this process cannot go on."""
        with self._channel, contextlib.suppress(OSError):
            self._channel.sendall(reason.encode("utf-8", "replace"))


def take_over() -> Parent | None:
    """Get the variables that the process that started this one hands over. To be called after `close_to_others`.

    Returns:
        That process, ``None`` if there is none.
    """
    number = os.environ.pop(_HANDED_OVER, "")
    if not number:
        return None
    channel = socket.socket(fileno=int(number))
    channel.set_inheritable(False)
    channel.sendall(_READY)
    given = b""
    while not given.endswith(_END):
        part = channel.recv(65536)
        if not part:
            # The other process is gone.
            raise SystemExit(1)
        given += part
    orders = json.loads(given.removesuffix(_END))
    os.environ.update(orders.pop("variables"))
    return Parent(channel, orders)
