# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a service at boot goes with all that a supervisor has made for it, and with nothing of somebody else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "unboot.sh.j2"
PROGRAMS = ("sv", "s6-svscanctl")


class Host:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name in PROGRAMS:
            (root / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {root}/asked\n', encoding="utf-8")
            (root / name).chmod(0o755)

    def removes(self, path: str) -> str:
        """What it asks programs for, when it removes a file."""
        environment = jinja2.Environment(autoescape=False, loader=jinja2.FileSystemLoader(TEMPLATE.parent))  # noqa: S701  it is a shell script
        script = environment.get_template(TEMPLATE.name).render().replace("/etc/", f"{self.root}/etc/")
        # None of this machine, whatever runs on it.
        script = script.replace("/proc/[0-9]*/comm", f"{self.root}/proc/comm")
        env = {"PATH": f"{self.root}:{os.environ['PATH']}"}
        subprocess.run(["/bin/sh", "-c", script, "sh", f"{self.root}{path}"], check=True, timeout=20, env=env)
        assert not (self.root / path[1:]).exists()
        asked = self.root / "asked"
        return asked.read_text(encoding="utf-8").replace(str(self.root), "") if asked.exists() else ""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("folder", "made", "asked"),
    [
        ("etc/service/mlkeys-gw", "supervise/lock", "sv exit /etc/service/mlkeys-gw\n"),
        ("etc/services.d/mlkeys-gw", "event/ftrig", "s6-svscanctl -an /etc/services.d\n"),
    ],
)
def test_a_folder_of_the_service_goes_with_it(host: Host, folder: str, made: str, asked: str) -> None:
    place = host.root / folder
    for path in ("run", made):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).touch()
    assert host.removes(f"/{folder}/run") == asked
    assert not place.exists()
    # Unless somebody has put something there.
    (place / "log").mkdir(parents=True)
    (place / "run").touch()
    host.removes(f"/{folder}/run")
    assert [path.name for path in place.iterdir()] == ["log"]


@pytest.mark.parametrize("path", ["/etc/cron.d/mlkeys-gw", "/etc/supervisor/conf.d/mlkeys-gw.conf"])
def test_a_file_goes_alone(host: Host, path: str) -> None:
    file = host.root / path[1:]
    file.parent.mkdir(parents=True)
    file.touch()
    assert host.removes(path) == ""
    assert file.parent.exists()
