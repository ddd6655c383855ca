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
# Ends well from its second run on, and leaves what it decrypted where its configuration says.
AGENT = """#!/bin/sh
echo x >> {folder}/runs
place=$(sed -n 's/^destination = "\\(.*\\)"$/\\1/p' "${{2#-config=}}")
test "$(wc -l < {folder}/runs)" -gt 1 && echo KEY=1 > "$place"
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
                "environment_file": str(self.runtime / "environment"),
            },
            vault_transit_host_program=str(root / "agent"),
        )
        (root / "fetch").write_text(text.replace("sleep 5", "sleep 0.1"), encoding="utf-8")
        (root / "agent").write_text(AGENT.format(folder=root), encoding="utf-8")
        (root / "agent").chmod(0o755)

    def agent(self, text: str, age: float = 1000.0) -> None:
        """Write its configuration, so long ago."""
        path = self.root / "agent.hcl"
        path.write_text(f'{text}\ndestination = "{self.runtime}/environment"\n', encoding="utf-8")
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


def test_it_tries_until_the_new_ciphertext_decrypts_and_only_the_next_start_gets_it(service: Service) -> None:
    environment = service.runtime / "environment"
    environment.write_text("KEY=0\n", encoding="utf-8")
    service.run("record")
    service.agent("vault:v4:AA")
    assert service.run("prove") == 0
    assert (service.root / "runs").read_text(encoding="utf-8").split() == ["x", "x"]
    # The program that runs has what it had, and its next start waits for nothing.
    assert environment.read_text(encoding="utf-8") == "KEY=0\n"
    assert not (service.runtime / "attempts").exists()
    # As systemd does between the two.
    service.run("clear")
    assert not environment.exists()
    service.run("record")
    assert service.run("once") == 0
    assert environment.read_text(encoding="utf-8") == "KEY=1\n"
    assert [path.name for path in service.runtime.iterdir()] == ["environment"]
    assert (service.root / "runs").read_text(encoding="utf-8").split() == ["x", "x"]


def test_a_clock_that_was_set_back_since_the_change_does_not_delay_it(service: Service) -> None:
    service.run("record")
    service.agent("vault:v4:AA", age=-3600)
    assert service.run("prove") == 0
    assert (service.root / "runs").exists()


def test_what_was_proved_is_not_for_another_ciphertext(service: Service) -> None:
    service.run("record")
    service.agent("vault:v4:AA")
    service.run("prove")
    service.agent("vault:v5:AA")
    service.run("record")
    assert service.run("once") == 0
    assert len((service.root / "runs").read_text(encoding="utf-8").split()) == 3
    service.run("clear")
    assert [path.name for path in service.runtime.iterdir()] == ["attempts"]


def test_a_start_at_the_same_time_keeps_its_own_files(service: Service) -> None:
    """The program has ended meanwhile, and its start has what it needs: nobody takes it away, and nothing is left."""
    environment = service.runtime / "environment"
    start = f"/bin/sh {service.root}/fetch record; echo KEY=2 > {environment}\n"
    with (service.root / "agent").open("a", encoding="utf-8") as agent:
        agent.write(start)
    service.run("record")
    service.agent("vault:v4:AA")
    assert service.run("prove") == 0
    assert environment.read_text(encoding="utf-8") == "KEY=2\n"
    assert [path.name for path in service.runtime.iterdir()] == ["environment"]


def test_a_start_without_its_file_is_none(service: Service) -> None:
    (service.root / "agent").write_text("#!/bin/sh\n", encoding="utf-8")
    assert service.run("once") == 1


def test_a_ciphertext_that_has_just_changed_has_to_settle(service: Service) -> None:
    service.run("record")
    service.agent("vault:v4:AA", age=0.0)
    with pytest.raises(subprocess.TimeoutExpired):
        service.run("prove", timeout=0.5)
    assert not (service.root / "runs").exists()
