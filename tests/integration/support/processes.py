# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run beside the tests on loopback, and end with them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlkeys._devserver.server import without_server_settings
from mlkeys._system.processes import ending_with_parent, holding_signals

START_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def started(argv: Sequence[str | Path], ready: Callable[[], bool], folder: Path) -> Iterator[None]:
    """A program that runs until the end of the block; it is ready when `ready` says so."""
    log = folder / "output.log"
    with log.open("wb") as output, holding_signals() as before_exec:
        process = subprocess.Popen(
            [str(argument) for argument in argv],
            cwd=folder,
            env={**without_server_settings(os.environ), "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=ending_with_parent(before_exec),  # noqa: PLW1509  a few system calls that take no lock
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{argv[0]} does not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
