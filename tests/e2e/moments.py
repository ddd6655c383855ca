# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments of a run: each thing that it does to a file or asks of a server. At one of them it can be ended."""

from __future__ import annotations

import mmap
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Events of Python: https://docs.python.org/3/library/audit_events.html
_EVENTS = frozenset(
    {
        "open",
        "os.chmod",
        "os.chown",
        "os.getxattr",
        "os.listdir",
        "os.listxattr",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.scandir",
        "os.setxattr",
        "fcntl.flock",
        "http.client.connect",
        "http.client.send",
    }
)
_NUMBER = struct.Struct("<Q")


class Moments:
    """Counts the moments of this process and of all that it forks, in a file."""

    def __init__(self, counter: Path) -> None:
        counter.write_bytes(_NUMBER.pack(0))
        with counter.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _NUMBER.size)
        self._folder = str(counter.parent)

    @property
    def number(self) -> int:
        """How many there were."""
        return int(_NUMBER.unpack_from(self._shared)[0])

    @staticmethod
    def counted(counter: Path) -> int:
        """How many another process counted."""
        return int(_NUMBER.unpack(counter.read_bytes())[0])

    def reset(self) -> None:
        _NUMBER.pack_into(self._shared, 0, 0)

    def watch(self, end: Callable[[], None], at: int) -> None:
        """From now on, count. This cannot be undone.

        Args:
            end: ends the run.
            at: the number of the moment to do it at; 0 for never.
        """

        def seen(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _EVENTS and self._is_about_the_run(event, arguments):
                _NUMBER.pack_into(self._shared, 0, self.number + 1)
                if self.number == at:
                    end()

        sys.addaudithook(seen)

    def _is_about_the_run(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event != "open":
            return True
        # What is opened by its absolute path elsewhere is mostly Python's own code.
        path = arguments[0]
        return isinstance(path, str) and (not path.startswith("/") or path.startswith(self._folder))
