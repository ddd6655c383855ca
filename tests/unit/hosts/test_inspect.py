# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role takes from a host before it acts as root: records of its own, one line each, and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "inspect.sh.j2"


def look(folder: Path) -> list[str]:
    environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
    environment.filters["quote"] = shlex.quote
    service = {"folder": str(folder), "name": "no-such-service", "state": "absent"}
    script = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        vault_transit_host_service=service, vault_transit_host_absent=[service]
    )
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    # As Ansible splits it, which takes more than line feeds for ends.
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("holds ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "service"
    made.mkdir()
    return made


def test_records_are_read(folder: Path) -> None:
    (folder / "accessor").write_text("0b1f-22")
    (folder / "started").write_text("abc123\n")
    (folder / "placed").write_text("file /srv/app/.env\nuser gw\ngroup gw\n")
    known = ["accessor 0b1f-22", "started abc123", "placed file /srv/app/.env", "placed user gw", "placed group gw"]
    assert look(folder) == ["has folder", *known]


@pytest.mark.parametrize(
    "text",
    [
        "x\\nplaced file /etc/victim",
        "x\vplaced file /etc/victim",
        "x\x1cplaced file /etc/victim",
        "x\u2028placed file /v",
    ],
)
def test_no_record_becomes_another(folder: Path, text: str) -> None:
    for name in ("accessor", "started"):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "placed").write_text(f"file /srv/{chr(0x0B)}placed file /etc/victim\nother /etc/victim\nfile relative\n")
    assert look(folder) == ["has folder"]


def test_a_name_in_the_folder_is_not_a_record(folder: Path) -> None:
    (folder / "x\nplaced file").mkdir(parents=True)
    (folder / "x\vplaced user root").touch()
    assert look(folder) == ["has folder"]


def test_a_folder_is_not_a_placed_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (folder / "placed").write_text(f"file {tmp_path}\nfile {tmp_path}/link\nfile {tmp_path}/none\n")
    assert look(folder) == ["has folder", f"placed file {tmp_path}/link", f"placed file {tmp_path}/none"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_others_own_is_not_read(folder: Path, tmp_path: Path) -> None:
    for name, text in (("accessor", "abc"), ("placed", "file /etc/victim\n"), ("started", "abc")):
        (folder / name).write_text(text)
        os.chown(folder / name, 12345, 12345)
    assert look(folder) == ["has folder"]
    (tmp_path / "mine").write_text("abc")
    (folder / "accessor").unlink()
    (folder / "accessor").symlink_to(tmp_path / "mine")
    assert look(folder) == ["has folder"]
