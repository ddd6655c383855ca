# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services a host runs, which versions they started with, and which of them keep the floor of a key."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account import account
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.scope import Scope

SCRIPT = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "running.sh.j2"
EMPTY: dict[str, Any] = {"ciphertexts": [], "counts": [], "files": 1, "unread": [], "not_searched": []}
CURRENT = {**EMPTY, "counts": [{"backend": "transit", "key": "k", "version": 2, "state": "current", "count": 1}]}
STARTED = ["gw known yes", "gw uses transit/k", "gw runs yes", "gw key transit/k", "gw version 1"]


def made(lines: list[str], *, failed: bool = False, floor: int = 1, **more: Any) -> dict[str, Any]:
    looked = {"stdout_lines": lines, "failed": failed}
    host = {
        "inventory_hostname": "one",
        "vault_transit_host_services": [{"name": "gw"}],
        "vault_transit_proof": EMPTY,
        "vault_transit_host_running": looked,
    }
    return account(Scope(backend="transit", key="k", target=2, floor=floor, **more), CURRENT, "localhost", [host])


def test_a_program_that_does_not_decrypt_again_does_not_keep_the_floor() -> None:
    result = made(STARTED)
    assert result["services"] == [{"host": "one", "service": "gw", "versions": [1], "up": True, "reason": ""}]
    assert (result["blocking"], result["clean"]) == ([], True)
    assert "Services run, started with: one: gw (v1)." in result["summary"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (STARTED[:3], "nobody knows which version it started with"),
        ([*STARTED, "gw stale yes"], "it started with v1, and has not restarted yet"),
        # Of which key, nobody knows either.
        (["gw known yes", "gw runs yes"], "nobody knows which version it started with"),
    ],
)
def test_a_service_that_may_decrypt_again_keeps_the_floor(lines: list[str], reason: str) -> None:
    result = made(lines)
    [blocking] = result["blocking"]
    assert f"one: gw ({reason})" in blocking
    assert "Restart them: ansible-playbook mlkeys.transit.site" in blocking
    # With a floor that is there already, it cannot.
    assert made(lines, floor=2)["blocking"] == []


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["gw known yes", "gw uses transit/other"],
        ["gw known yes", "gw uses transit/other", "gw runs yes"],
        [*STARTED[:4], "gw version 2", "gw stale yes"],
    ],
)
def test_a_service_of_another_key_or_new_enough_keeps_nothing(lines: list[str]) -> None:
    assert made(lines)["blocking"] == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["gw known yes", "gw uses transit/k"], "it does not run"),
        (["gw known yes"], "it does not run"),
        ([*STARTED[:2], "gw waits yes"], "it waits for its secrets"),
        ([*STARTED, "gw fails yes"], "it does not come up: its program ended, or is not ready"),
        # As systemd shows a start that waits for the server.
        (
            ["gw known yes", "gw uses transit/k", "gw fails yes", "gw waits yes"],
            "it does not come up: it waits for its secrets, or its program ended, or is not ready",
        ),
    ],
)
def test_a_service_that_is_down_is_named_and_keeps_the_floor_and_all_versions(lines: list[str], reason: str) -> None:
    """Nobody has seen that it starts with the new version. That holds for a floor that is there already."""
    for floor in (1, 2):
        result = made(lines, floor=floor)
        [blocking] = result["blocking"]
        assert f"these services are not up: one: gw ({reason}). " in blocking
        assert f"Services are not up: one: gw ({reason})." in result["summary"]
        assert not result["clean"]
    # Anyone who stopped it on purpose can say so, and keeps the versions.
    result = made(lines, accept_unread=["one:/etc/mlkeys/gw"])
    assert (result["blocking"], result["accepted"], result["clean"]) == ([], ["one:/etc/mlkeys/gw"], False)


def test_services_that_nobody_looked_at_when_a_run_ended_keep_the_floor() -> None:
    host = {"inventory_hostname": "one", "vault_transit_host_services": [{"name": "gw"}], "vault_transit_proof": EMPTY}
    for is_final, blocking in (
        (True, ["these hosts could not be looked at: one (its services were not looked at)"]),
        (False, []),
    ):
        scope = Scope(backend="transit", key="k", target=2, is_final=is_final)
        assert account(scope, CURRENT, "localhost", [host])["blocking"] == blocking


def test_a_host_whose_services_nobody_looked_at_keeps_the_floor() -> None:
    [blocking] = made([], failed=True)["blocking"]
    assert blocking == "these hosts could not be looked at: one (its services could not be looked at)"


class Folder:
    """What the role leaves on a host, in a folder, and what its script says of it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.runtime = root / "etc" / "gw", root / "run"
        for folder in (self.folder, self.runtime):
            folder.mkdir(parents=True)
        self.agent('contents = "{{ with secret \\"my/transit/decrypt/k\\" \\"ciphertext=vault:v1:AAAA\\" }}"')
        self.script("service", "echo gw runs as 42")
        self.root = root

    def agent(self, text: str) -> None:
        (self.folder / "agent.hcl").write_text(text, encoding="utf-8")

    def script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def record(self, text: str) -> Path:
        path = self.runtime / "gw.versions"
        path.write_text(text, encoding="utf-8")
        return path

    def look(self, wait: int = 0, *services: dict[str, Any]) -> list[str]:
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(SCRIPT.parent), autoescape=False)  # noqa: S701  it is a shell script
        environment.filters.update(quote=lambda value: shlex.quote(str(value)), bool=bool)
        text = environment.get_template(SCRIPT.name).render(
            vault_transit_host_running_wait=wait,
            vault_transit_host_services=services or ([] if wait else [{"name": "gw"}]),
            vault_transit_host_start_timeout=1,
        )
        for place, here in (("/etc/mlkeys/", f"{self.root}/etc/"), ("/run/mlkeys/", f"{self.root}/run/")):
            text = text.replace(place, here)
        done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, check=True, text=True)
        assert done.stderr == ""
        return done.stdout.splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_role_says_what_a_service_started_with_and_what_its_next_start_decrypts(host: Folder) -> None:
    assert host.look() == ["gw uses my/transit/k", "gw known yes", "gw runs yes"]
    host.record("digest abc\nkey my/transit/k\nversion 1\nversion 3\n")
    started = ["gw digest abc", "gw key my/transit/k", "gw version 1", "gw version 3"]
    assert host.look()[3:] == started
    # A service that waits for its secrets does not run, and that of an earlier release says it in the same words.
    host.script("service", "echo gw waits for its secrets as 42")
    (host.folder / "started").touch()
    assert host.look() == ["gw uses my/transit/k", "gw known yes", "gw waits yes", "gw started yes", *started]
    (host.folder / "started").unlink()
    host.script("service", "exit 3")
    assert host.look() == ["gw uses my/transit/k", "gw known yes", *started]
    # It gets some time to restart.
    host.script("fetch", 'test "$1" = stale && ! test -e $0.late && touch $0.late')
    assert "gw stale yes" not in host.look(wait=5)
    host.script("fetch", 'test "$1" = stale')
    assert "gw stale yes" in host.look(wait=1)
    (host.folder / "agent.hcl").unlink()
    assert host.look() == []


def test_what_runs_and_is_not_described_is_named(host: Folder) -> None:
    others = {"name": "other"}
    assert host.look(0, others)[0] == "gw undeclared runs"
    host.script("service", "echo gw does not run, but processes that it has left do: 42; exit 4")
    assert "gw runs yes" in host.look()
    assert host.look(0, others)[0] == "gw undeclared runs"
    host.script("service", "echo gw waits for its secrets as 42")
    assert host.look(0, others)[0] == "gw undeclared waits"
    host.script("service", "exit 3")
    assert "gw undeclared" not in "\n".join(host.look(0, others))
    # Without its folder, as after a removal by hand.
    began = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(") ")[2].split()[19]
    record = host.runtime / "gone.pid"
    record.write_text(f"{os.getpid()} {began}\n", encoding="ascii")
    assert host.look()[0] == "gone undeclared runs"
    record.write_text(f"{os.getpid()} 1{began}\n", encoding="ascii")
    assert "gone undeclared runs" not in host.look()


def test_what_nothing_describes_keeps_no_floor_of_keys_that_it_does_not_use() -> None:
    assert made(["gone undeclared runs"])["blocking"] == []


def test_a_start_a_moment_ago_is_seen_to_its_end(host: Folder) -> None:
    """It has its grace, and then has to be ready. One that has run for longer need not show that again."""
    user = pwd.getpwuid(os.getuid()).pw_name
    declared = {"name": "gw", "user": user, "startup_grace": 0.1, "ready": {"command": ["/bin/false"], "port": None}}
    service = "case $1 in pid) echo 42 ;; *) echo gw runs as 42 ;; esac"
    host.script("service", service)
    path = host.record("version 2\n")
    assert "gw fails yes" not in host.look()
    assert "gw fails yes" in host.look(1, declared)
    assert "gw fails yes" not in host.look(1, {**declared, "ready": {"command": ["/bin/true"]}})
    assert "gw fails yes" not in host.look(1, {**declared, "name": "other"})
    host.script("service", f"case $1 in pid) test -e $0.ended || echo 42; touch $0.ended ;; *) {service} ;; esac")
    assert "gw fails yes" in host.look(1, {**declared, "ready": None})
    os.utime(path, (1, 1))
    assert "gw fails yes" not in host.look(1, declared)
    # Between an end and the next start, it has no record.
    path.unlink()
    assert "gw fails yes" not in host.look(1, declared)
    host.script("service", "case $1 in status) echo gw waits for its secrets as 42 ;; *) exit 1 ;; esac")
    assert "gw fails yes" in host.look(1, {"name": "gw"})


def test_it_believes_no_record_that_is_not_of_root(host: Folder, tmp_path: Path) -> None:
    path = host.record("version 3\nversion $(id)\nversion\n")
    assert host.look()[3:] == ["gw version 3"]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert host.look()[3:] == []


def test_a_rotation_that_cannot_restart_services_does_not_begin() -> None:
    able = {"vault_transit_host_readable": {"approle": {}}, "vault_transit_host_replaceable": {"secret_id": None}}
    skipped = {"vault_transit_host_readable": {"skipped": True, "skip_reason": "Conditional result was False"}}
    for results, refused in (
        ({}, []),
        (skipped, []),
        (able, []),
        # A warning of a module that did its work is none of a lack.
        ({**able, "vault_transit_host_readable": {"approle": {}, "msg": "x"}}, []),
        ({**able, "vault_transit_host_replaceable": {"msg": "No."}}, ["the services of one cannot restart: No"]),
        ({**able, "vault_transit_host_readable": {"msg": "No."}}, ["the services of one cannot restart: No"]),
    ):
        host = {"inventory_hostname": "one", "vault_transit_seen": EMPTY, **results}
        scope = Scope(backend="transit", key="k", target=2, is_final=False)
        found = account(scope, CURRENT, "localhost", [host], "vault_transit_seen")
        assert [one for one in found["refused"] if "restart" in one] == refused
        assert [one for one in found["blocking"] if "restart" in one] == refused
