# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in a fork is as one of the command itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import forks

SHOW = """
import atexit, json, os, signal, sys
from pathlib import Path

settings = ("ansible.cli", "ansible.constants")
# Not the signals that wait for all processes of this user (SigQ).
kernel = ("SigPnd", "SigBlk", "SigIgn", "SigCgt", "Shd", "Cap", "NoNew", "Umask", "Seccomp")
print(json.dumps({
    "arguments": [sys.argv, sys.orig_argv[1:], sys.executable, str(sys.flags)],
    "environment": sorted(os.environ.items()),
    "files": [os.path.basename(os.readlink(f"/proc/self/fd/{number}")).split(":")[0] for number in (0, 1, 2)],
    "folder": os.getcwd(),
    "kernel": [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kernel)],
    "modules": [name for name in sys.modules if name.startswith((*settings, "mlkeys", "tests"))],
    "opened": sorted(os.listdir("/proc/self/fd"))[3:-1],
    "path": sys.path,
    "program": [__name__, sys.modules["__main__"].__file__],
    "session": os.getsid(0) == os.getpid(),
    "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
    "streams": [(stream.name, stream.isatty(), stream.encoding, stream.errors, stream.line_buffering)
                for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "typed": sys.stdin.read(),
}))
atexit.register(print, "at the end")
print("an error\\r\\n", file=sys.stderr)
sys.exit(7)
"""


def program(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("session", [True, False])
def test_it_has_and_returns_the_same(tmp_path: Path, session: bool) -> None:
    argv = [program(tmp_path, SHOW), "one", "two words"]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:/nowhere", "NEW": "ä"}
    done = forks.run(argv, cwd=tmp_path, env=env, typed="input\n", timeout=60, session=session)
    command: dict[str, Any] = {
        "cwd": tmp_path,
        "env": env,
        "input": "input\n",
        "timeout": 60,
        "start_new_session": session,
    }
    expected = subprocess.run(argv, capture_output=True, text=True, check=False, **command)
    assert json.loads(done.stdout.splitlines()[0]) == json.loads(expected.stdout.splitlines()[0])
    assert vars(done) == vars(expected)


def test_it_ends_by_a_signal(tmp_path: Path) -> None:
    argv = [program(tmp_path, "import os, signal\nprint('begun', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n")]
    done = forks.run(argv, cwd=tmp_path, env=os.environ, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "begun\n")


def test_it_is_killed_after_the_timeout(tmp_path: Path) -> None:
    argv = [
        program(tmp_path, f"import os, time\nopen('{tmp_path}/pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
    ]
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run(argv, cwd=tmp_path, env=os.environ, timeout=1)
    number = int((tmp_path / "pid").read_text(encoding="ascii"))
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(number, 0)


@pytest.mark.parametrize("setting", ["PYTHONDONTWRITEBYTECODE", "COVERAGE_RUN"])
def test_some_settings_make_it_a_process_of_its_own(tmp_path: Path, setting: str) -> None:
    argv = [program(tmp_path, "import os\nprint(os.getppid())\n")]
    done = forks.run(argv, cwd=tmp_path, env={**os.environ, setting: "1"}, timeout=60)
    assert done.stdout == f"{os.getpid()}\n"
