# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How supervisord learns of a service, and forgets it: it looks at its files only when it is asked."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

from tests.support.programs import without_starters

ROLE = Path(__file__).parents[3] / "roles" / "vault_transit_host"
MISSING = "one has no supervisorctl."
# What it has loaded is in a file. It loads what has a file in the folder that it includes, and forgets what has none.
SUPERVISORCTL = """#!/bin/sh
case $1 in
    pid) test ! -e {folder}/away || {{ echo 'unix:///run/supervisor.sock no such file'; exit 1; }} ;;
    status) sed 's/$/ RUNNING   pid 42, uptime 0:00:09/' {folder}/loaded ;;
    update)
        test ! -e {folder}/stubborn || {{ echo 'ERROR: no such group'; exit 1; }}
        if test -e {folder}/app_one.conf; then echo "$2" > {folder}/loaded; else : > {folder}/loaded; fi
        echo "$2: changed"
        ;;
esac
"""


class Host:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.others = without_starters(folder / "others")
        self.loaded = folder / "loaded"
        self.loaded.write_text("mlkeys-app\n", encoding="utf-8")
        program = folder / "bin" / "supervisorctl"
        program.parent.mkdir()
        program.write_text(SUPERVISORCTL.format(folder=folder), encoding="utf-8")
        program.chmod(0o755)

    def asked(self) -> tuple[int, str]:
        """How the script that the role runs ends, and what it says."""
        environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        text = (ROLE / "templates" / "supervisord.sh.j2").read_text(encoding="utf-8")
        script = environment.from_string(text).render(
            vault_transit_host_service={"name": "app.one"},
            vault_transit_host_boot_files={"supervisord": f"{self.folder}/NAME.conf"},
            vault_transit_host_no_supervisorctl=MISSING,
        )
        # None of this machine, whatever runs on it.
        script = script.replace("/proc/[0-9]*/comm", f"{self.folder}/comm")
        env = {"PATH": f"{self.folder}/bin:{self.others}"}
        done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, text=True, env=env)
        assert done.stderr == ""
        return done.returncode, done.stdout.strip()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_loads_a_new_service_and_forgets_one_whose_file_is_gone(host: Host) -> None:
    (host.folder / "app_one.conf").touch()
    assert host.asked() == (0, "mlkeys-app.one: changed")
    assert host.loaded.read_text(encoding="utf-8") == "mlkeys-app.one\n"
    (host.folder / "app_one.conf").unlink()
    assert host.asked() == (0, "mlkeys-app.one: changed")
    assert host.loaded.read_text(encoding="utf-8") == ""
    # Of another name, which begins with the same letters.
    host.loaded.write_text("mlkeys-app.one2\n", encoding="utf-8")
    assert host.asked() == (0, "")


def test_what_it_cannot_do_is_said(host: Host) -> None:
    (host.folder / "stubborn").touch()
    (host.folder / "app_one.conf").touch()
    status, said = host.asked()
    assert status == 1
    assert "does not load" in said
    assert said.endswith("Add /etc/supervisor/conf.d/*.conf to the section [include] of its configuration.")
    (host.folder / "app_one.conf").unlink()
    host.loaded.write_text("mlkeys-app.one\n", encoding="utf-8")
    assert host.asked() == (1, "supervisord does not end mlkeys-app.one: ERROR: no such group.")
    (host.folder / "bin" / "supervisorctl").unlink()
    assert host.asked() == (1, MISSING)


def test_one_that_does_not_run_reads_its_files_when_it_starts(host: Host) -> None:
    (host.folder / "away").touch()
    assert host.asked() == (0, "")
    (host.folder / "comm").write_text("supervisord\n", encoding="utf-8")
    status, said = host.asked()
    assert status == 1
    assert said.startswith("supervisord runs on this host, but supervisorctl does not reach it: unix:///run/supervisor")


def test_it_forgets_a_service_before_the_service_stops() -> None:
    """Otherwise it starts the script again, and the user of the service cannot be removed."""
    stop = (ROLE / "tasks" / "stop.yml").read_text(encoding="utf-8")
    steps = ["Remove boot entries", "Remove the program from supervisord", "Stop the script"]
    assert sorted(steps, key=stop.index) == steps


def test_a_program_that_ends_at_once_is_tried_again() -> None:
    """By default, supervisord gives up after three times."""
    boot = (ROLE / "templates" / "boot.j2").read_text(encoding="utf-8")
    text = jinja2.Template(boot).render(
        vault_transit_host_boot_kind="supervisord",
        vault_transit_host_service={"name": "gw", "folder": "/etc/mlkeys/gw"},
    )
    assert "startretries=1000000\n" in text
