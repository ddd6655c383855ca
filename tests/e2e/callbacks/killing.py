# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that ends a run of Ansible as a power cut would: at once, with all of its workers.

KILL_AFTER names the task after whose first result that happens, KILL_AT_MOVE the number of the file that is written
but not put in its place yet, KILL_AT_MOMENT the number of a moment (see `moments`), 0 to count them only. LOSE_AFTER
names one after whose first result only the file LOST is made.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile

from tests.e2e.moments import Moments

DOCUMENTATION = """
name: killing
type: aggregate
short_description: End the run at a given point
description: Ends the run at a given point.
"""


def kill(run: int) -> None:
    """End the process that runs the play, and its workers, which have groups of their own."""
    workers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and parent_of(path) == run]
    for process in [run, *(worker for worker in workers if worker != os.getpid()), os.getpid()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
    except OSError:
        return 0


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "killing"

    def v2_playbook_on_start(self, *_playbook: Any) -> None:
        moment = os.environ.get("KILL_AT_MOMENT")
        if moment:
            run = os.getpid()
            Moments(Path(os.environ["KILL_MOVES"]).parent / "moments").watch(lambda: kill(run), int(moment))
        number = os.environ.get("KILL_AT_MOVE")
        if not number:
            return
        run, moves = os.getpid(), Path(os.environ["KILL_MOVES"])
        name = "place"
        really: Any = getattr(NewFile, name)

        # Workers are forked from this process, and run modules in theirs.
        def move(new: NewFile, file: File, **options: Any) -> None:
            with moves.open("a", encoding="utf-8") as log:
                log.write(f"{file.path}\n")
            # Two workers may count at once.
            if len(moves.read_text(encoding="utf-8").splitlines()) >= int(number):
                kill(run)
            really(new, file, **options)

        setattr(NewFile, name, move)

    def v2_runner_on_ok(self, result: Any) -> None:
        task = getattr(result, "task", None) or result._task
        if task.get_name() == os.environ.get("KILL_AFTER"):
            kill(os.getpid())
        if task.get_name() == os.environ.get("LOSE_AFTER"):
            Path(os.environ["LOST"]).touch()
