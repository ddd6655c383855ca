# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services a host runs, which versions they started with, and which of them keep the floor of a key."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account import Scope, account

SCRIPT = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "running.sh.j2"
EMPTY: dict[str, Any] = {"ciphertexts": [], "counts": [], "files": 1, "unread": [], "not_searched": []}
CURRENT = {**EMPTY, "counts": [{"backend": "transit", "key": "k", "version": 2, "state": "current", "count": 1}]}
STARTED = ["gw known yes", "gw uses transit/k", "gw runs yes", "gw key transit/k", "gw version 1"]


def made(lines: list[str], *, failed: bool = False, floor: int = 1) -> dict[str, Any]:
    looked = {"stdout_lines": lines, "failed": failed}
    host = {
        "inventory_hostname": "one",
        "vault_transit_host_services": [{"name": "gw"}],
        "vault_transit_proof": EMPTY,
        "vault_transit_host_running": looked,
    }
    return account(Scope(backend="transit", key="k", target=2, floor=floor), CURRENT, "localhost", [host])


def test_a_program_that_does_not_decrypt_again_does_not_keep_the_floor() -> None:
    result = made(STARTED)
    assert result["services"] == [{"host": "one", "service": "gw", "versions": [1], "reason": ""}]
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
        ["gw known yes", "gw uses transit/k"],
        ["gw known yes", "gw uses transit/other", "gw runs yes"],
        [*STARTED[:4], "gw version 2", "gw stale yes"],
    ],
)
def test_a_service_that_is_stopped_of_another_key_or_new_enough_keeps_nothing(lines: list[str]) -> None:
    assert made(lines)["blocking"] == []


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

    def look(self, wait: int = 0) -> list[str]:
        text = jinja2.Template(SCRIPT.read_text(encoding="utf-8")).render(vault_transit_host_running_wait=wait)
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
    assert host.look() == ["gw uses my/transit/k", "gw known yes", "gw started yes", *started]
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
