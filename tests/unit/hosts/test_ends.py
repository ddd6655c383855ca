# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a program without systemd ends: its status is noted, and nothing of it runs beside the next one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "service.j2"
# Ends its first thread, and goes on in another.
GOES_ON = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


class Service:
    """A service of the user nobody, whose script keeps its files in one folder."""

    def __init__(self, folder: Path, command: str, **more: object) -> None:
        self.folder, self.script = folder, folder / "service"
        loader = jinja2.FileSystemLoader(TEMPLATE.parent)
        environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        service = {"name": "gw", "user": "nobody", "group": "nogroup", "folder": str(folder), "mode": "plaintext"}
        text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            vault_transit_host_service={
                **service,
                "command": ["/bin/sh", "-c", command],
                "runtime": f"{folder}/gw",
                **more,
            }
        )
        for place in ("/run/mlkeys-locks-0", "/run/mlkeys", "/var/log/mlkeys"):
            text = text.replace(place, str(folder))
        self.script.write_text(text, encoding="utf-8")
        self.script.chmod(0o755)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.script, command], check=False, timeout=60, capture_output=True, text=True)

    def function(self, call: str) -> str:
        """What one of the functions of the script prints."""
        script = self.script.read_text(encoding="utf-8").partition("\ncase ${1:-} in")[0]
        done = subprocess.run(["/bin/sh", "-c", f"{script}\n{call}"], check=False, timeout=60, capture_output=True)
        return done.stdout.decode()

    def until(self, condition: str) -> None:
        subprocess.run(
            ["/bin/sh", "-c", f"cd {self.folder}; until {condition}; do sleep 0.05; done"], check=True, timeout=60
        )

    @property
    def ended(self) -> list[str]:
        return (self.folder / "gw.ended").read_text(encoding="ascii").split()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_the_status_of_a_program_that_ends_by_itself_is_noted(folder: Path) -> None:
    service = Service(folder, f"until test -e {folder}/go; do sleep 0.05; done; exit 3")
    assert service.run("start").returncode == 0
    assert not (folder / "gw.ended").exists()
    assert "gw runs as" in service.run("status").stdout
    (folder / "go").touch()
    service.until("test -s gw.ended")
    status, since = service.ended
    assert (status, since.isdigit()) == ("3", True)
    assert "gw does not run" in service.run("status").stdout
    assert (folder / "gw.log").read_text(encoding="utf-8") == "gw: starts\n"


def test_a_program_that_is_asked_to_end_leaves_no_status(folder: Path) -> None:
    service = Service(folder, "exec sleep 3600")
    service.run("start")
    process = int((folder / "gw.pid").read_text(encoding="ascii").split()[0])
    service.run("stop")
    assert not Path(f"/proc/{process}").exists()
    # Nor does what ends while another one starts.
    service.run("start")
    service.run("restart")
    service.run("stop")
    service.until("! pgrep -f $PWD/service")
    assert sorted(path.name for path in folder.iterdir()) == ["gw.log", "service", "service-gw"]


def test_a_start_whose_program_has_not_begun_leaves_no_status(folder: Path) -> None:
    service = Service(folder, "exec sleep 3600", agent=True)
    fetch = folder / "fetch"
    fetch.write_text("#!/bin/sh\nexit 78\n", encoding="ascii")
    fetch.chmod(0o755)
    assert service.run("start").returncode == 1
    service.until("! pgrep -f $PWD/service")
    assert not (folder / "gw.ended").exists()


def test_a_program_that_has_used_up_its_secret_id_is_not_restarted(folder: Path) -> None:
    service = Service(folder, "exec sleep 3600", is_used_up=True)
    service.run("start")
    process = (folder / "gw.pid").read_text(encoding="ascii")
    refused = service.run("restart")
    assert (refused.returncode, "it has used up its secret ID" in refused.stderr) == (1, True)
    assert (folder / "gw.pid").read_text(encoding="ascii") == process
    (folder / "once").mkdir()
    (folder / "once" / "wrapping_token").touch()
    assert service.run("restart").returncode == 0
    assert (folder / "gw.pid").read_text(encoding="ascii") != process
    service.run("stop")


@pytest.fixture
def unwaited() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has ended and that nobody waits for, as where the first process of a container reaps nothing."""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 3600 & kill -KILL $$"], start_new_session=True) as process:
        wait_for_end(process.pid)
        yield process
        for one in session(process.pid):
            os.kill(one, signal.SIGKILL)


def wait_for_end(number: int) -> None:
    """The first thread of a process has ended."""
    while not Path(f"/proc/{number}/stat").read_text(encoding="ascii").rpartition(") ")[2].startswith("Z"):
        pass


def session(number: int) -> list[int]:
    """What runs in a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
        except OSError:
            continue
        if words[0] != "Z" and int(words[3]) == number:
            found.append(int(path.parent.name))
    return found


def test_what_a_process_leaves_that_nobody_waits_for_is_ended(folder: Path, unwaited: subprocess.Popen[bytes]) -> None:
    service = Service(folder, "exec sleep 3600")
    (folder / "gw.pid").write_text(service.function(f"mark {unwaited.pid}"), encoding="ascii")
    [left] = session(unwaited.pid)
    assert service.function("running") == ""
    status = service.run("status")
    assert (status.returncode, status.stdout.split(":")[-1].split()) == (4, [str(left)])
    service.function("end_leftovers")
    # A process does not end at the moment of its signal.
    deadline = time.monotonic() + 60
    while session(unwaited.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_session_of_another_process_with_that_number_is_left_alone(
    folder: Path, unwaited: subprocess.Popen[bytes]
) -> None:
    service = Service(folder, "exec sleep 3600")
    (folder / "gw.pid").write_text(f"{unwaited.pid} 1\n", encoding="ascii")
    service.function("end_leftovers")
    assert len(session(unwaited.pid)) == 1


def test_a_process_whose_first_thread_has_ended_lives(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", GOES_ON]) as process:
        try:
            wait_for_end(process.pid)
            assert Service(folder, "true").function(f"is_alive {process.pid} && echo alive").split() == ["alive"]
        finally:
            process.kill()
