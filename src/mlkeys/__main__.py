# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The command `mlkeys`, also as `python -m mlkeys`."""

from __future__ import annotations

import atexit
import gc
import signal


def main() -> None:
    """Run the command. Ctrl-C ends it without a traceback, also while it is still being imported."""
    # What is imported lives until the process ends. To search it for garbage, while it is imported and once more when
    # Python ends, takes a noticeable part of the time of a short command.
    gc.disable()
    atexit.register(gc.freeze)
    before = signal.getsignal(signal.SIGINT)
    # The process that started it may ignore it.
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlkeys._cli import main as command  # noqa: PLC0415

    signal.signal(signal.SIGINT, before)
    gc.freeze()
    gc.enable()
    command()


if __name__ == "__main__":
    main()
