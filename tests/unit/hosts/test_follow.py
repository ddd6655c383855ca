# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start is recorded with, and when a service that follows its ciphertext has a new one that it can decrypt."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "fetch.j2"
# Ends well from its second run on, and leaves what it decrypted.
AGENT = """#!/bin/sh
echo x >> {folder}/runs
test "$(wc -l < {folder}/runs)" -gt 1 && echo KEY=1 > {folder}/run/gw/environment
"""


class Service:
    def __init__(self, root: Path, *, watch: bool = True) -> None:
        self.root, self.runtime = root, root / "run" / "gw"
        self.runtime.mkdir(parents=True)
        self.agent("vault:v1:AA vault:v3:BB vault:v1:CC")
        environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        environment.filters["bool"] = bool
        text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            vault_transit_host_service={
                "name": "gw",
                "folder": str(root),
                "runtime": str(self.runtime),
                "backend": "my/transit",
                "key": "ml",
                "mode": "agent",
                "watch": watch,
            },
            vault_transit_host_program=str(root / "agent"),
            vault_transit_host_secret_id_kept=True,
        )
        (root / "fetch").write_text(text.replace("sleep 5", "sleep 0.1"), encoding="utf-8")
        (root / "agent").write_text(AGENT.format(folder=root), encoding="utf-8")
        (root / "agent").chmod(0o755)

    def agent(self, text: str, age: float = 1000.0) -> None:
        """Write its configuration, so long ago."""
        path = self.root / "agent.hcl"
        path.write_text(text + "\n", encoding="utf-8")
        os.utime(path, (path.stat().st_mtime - age,) * 2)

    def run(self, command: str, timeout: float = 10.0) -> int:
        script = ["/bin/sh", str(self.root / "fetch"), command]
        return subprocess.run(script, check=False, timeout=timeout, stderr=subprocess.DEVNULL).returncode


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_a_start_records_the_key_and_each_version_once(service: Service) -> None:
    assert service.run("record") == 0
    record = service.root / "run" / "gw.versions"
    lines = record.read_text(encoding="utf-8").splitlines()
    assert lines[1:] == ["key my/transit/ml", "version 1", "version 3"]
    assert lines[0].startswith("digest ")
    assert record.stat().st_mode & 0o777 == 0o644
    service.run("forget")
    assert not record.exists()


def test_it_is_stale_once_the_ciphertext_has_changed_since_the_start(service: Service) -> None:
    assert service.run("stale") != 0
    service.run("record")
    assert service.run("stale") != 0
    service.agent("vault:v4:AA")
    assert service.run("stale") == 0


def test_a_service_that_does_not_follow_is_never_stale(tmp_path: Path) -> None:
    service = Service(tmp_path, watch=False)
    service.run("record")
    service.agent("vault:v4:AA")
    assert service.run("stale") != 0


def test_it_tries_until_the_new_ciphertext_decrypts_and_leaves_nothing_of_it(service: Service) -> None:
    service.run("record")
    service.agent("vault:v4:AA")
    assert service.run("prove") == 0
    assert (service.root / "runs").read_text(encoding="utf-8").split() == ["x", "x"]
    assert [path.name for path in service.runtime.iterdir()] == ["attempts"]


def test_a_ciphertext_that_has_just_changed_has_to_settle(service: Service) -> None:
    service.run("record")
    service.agent("vault:v4:AA", age=0.0)
    with pytest.raises(subprocess.TimeoutExpired):
        service.run("prove", timeout=0.5)
    assert not (service.root / "runs").exists()
