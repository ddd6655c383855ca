# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The name of the task that runs, on a terminal. Elsewhere nothing: logs of CI stay short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from mlkeys._shared.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status


def terminal() -> Console:
    """The console for progress messages: standard error, with colours only on a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


class Progress:
    """A line below the output, which names the task that runs."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def task(self, name: str) -> None:
        """Show the name of a task."""
        if self._status is not None:
            self._status.update(printable(name))

    def write(self, text: str, stream: TextIO) -> None:
        """Write output above the line."""
        if self._status is not None:
            self._status.stop()
        stream.write(text)
        stream.flush()
        if self._status is not None:
            self._status.start()


@contextmanager
def progress(*, shown: bool) -> Iterator[Progress]:
    """Show the progress for the time of the block, if standard error is a terminal."""
    console = terminal() if shown else None
    # CI services may give a job a terminal, and keep all that it shows.
    if console is None or not console.is_terminal or os.environ.get("CI"):
        yield Progress(None)
        return
    with console.status("Starting Ansible …") as status:
        yield Progress(status)
