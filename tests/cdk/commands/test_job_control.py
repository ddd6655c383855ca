# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Commands that `mlkeys` runs as its children, and that a shell or a signal stops and continues."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cdk.terminals import on_a_terminal, state_of

RUNS = """
import os, sys
from mlkeys._system.processes import ChildProcess, exit_status
with ChildProcess() as child, child.running(sys.argv[1:], os.environ) as process:
    print("child", process.pid, flush=True)
sys.exit(exit_status(process.returncode))
"""

# The command has stopped before it is known which one it is.
SLOW = """
import os
from mlkeys._system.processes import ChildProcess
known = ChildProcess.pass_signals_to
def late(self, command):
    os.waitid(os.P_PID, command.pid, os.WSTOPPED | os.WNOWAIT)
    known(self, command)
ChildProcess.pass_signals_to = late
"""


def running(*command: str, before: str = "") -> list[str]:
    return [sys.executable, "-c", before + RUNS, *command]


@pytest.mark.parametrize(("number", "before"), [(signal.SIGSTOP, ""), (signal.SIGTSTP, ""), (signal.SIGTSTP, SLOW)])
def test_a_command_that_stops_itself_gives_the_terminal_back(
    tmp_path: Path, number: signal.Signals, before: str
) -> None:
    # As `suspend` of a shell does, in which a person works.
    own = shlex.join(running("sh", "-c", f"kill -{int(number)} $$; exit 5", before=before))
    script = f'{own}; echo "left" $?; fg; echo "status" $?'
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, os.environ) as terminal:
        terminal.wait_for(f"left {128 + signal.SIGTSTP}")
        terminal.wait_for("status 5")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_command_ends_with_the_process_that_runs_it(number: signal.Signals) -> None:
    own = running("sleep", "60")
    with subprocess.Popen(own, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        command = int(process.stdout.readline().split()[1])
        os.kill(command, signal.SIGSTOP)
        while state_of(command) != "T":
            pass
        process.send_signal(number)
        try:
            assert process.wait(20) == 128 + number
        finally:
            if process.returncode is None:
                os.kill(command, signal.SIGKILL)


def test_an_interrupt_in_the_background_does_not_come_from_the_terminal(tmp_path: Path) -> None:
    own = shlex.join(running("sleep", "60"))
    script = f'{own} & read -r; kill -INT $!; wait $!; echo "status" $?'
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("child ")
        terminal.type("\n")
        terminal.wait_for(f"status {128 + signal.SIGINT}")
