# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of the role ask of the server beside the vars plugin: counted in its audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.support.plays import VARS_PLUGIN, Project, approle, asked, make_key, may_use, messages
from tests.integration.support.runs import Ledger
from tests.support.modules import run_module
from tests.support.server import Bao

DEPLOYED = """\
- hosts: localhost
  gather_facts: false
  vars:
    vault_transit_controller: localhost
    vault_transit_vars_files:
      - {{path: group_vars/all/first.transit.yml, backend: {mount}, key: ml{given}}}
      - {{path: group_vars/all/second.transit.yml, backend: {mount}, key: ml, refresh_fingerprints: true}}
      - {{path: group_vars/all/third.transit.yml, backend: {mount}, key: ml}}
  roles: [mlkeys.transit.vault_transit]
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "{{{{ first.key[-3:] }}}} {{{{ second.n + 1 }}}} {{{{ third.key[-5:] }}}}"}}
"""
GIVEN = ", secrets: {first: {key: sk-given-new, on: true}}"


@pytest.mark.parametrize(("given", "shown"), [("", "one 3 three"), (GIVEN, "new 3 three")])
def test_a_run_after_a_rotation_decrypts_once(bao: Bao, mount: str, tmp_path: Path, given: str, shown: str) -> None:
    make_key(bao, mount)
    two = {"key": "sk-two", "n": 2}
    values = {"first": {"key": "sk-one", "on": False}, "second": two, "third": {"key": "sk-three"}}
    (tmp_path / "group_vars/all").mkdir(parents=True)
    for name, value in values.items():
        path = tmp_path / f"group_vars/all/{name}.transit.yml"
        arguments = {**bao.login, "path": str(path), "backend": mount, "key": "ml", "secrets": {name: value}}
        assert not run_module("vault_transit_vars", arguments).failed
    bao.done("POST", f"{mount}/keys/ml/rotate", {})
    with approle(bao, may_use(mount)) as role:
        project = Project(tmp_path, {"BAO_ADDR": bao.addr, **role.environment, **VARS_PLUGIN})
        project.hosts(2)
        project.write("play.yml", DEPLOYED.format(mount=mount, given=given))
        for _run in ("the rotated key", "nothing to do"):
            ledger = Ledger(bao)
            done = project.run()
            counts = asked(ledger)
            assert (counts["login"], counts["decrypt"]) == (1, 1)
            assert messages(done.stdout) == [shown] * 2
            assert "sk-" not in done.stdout + done.stderr


USING = "place-{{ account.password | length + account.n }}"


@pytest.mark.parametrize(("place", "decrypts"), [("place-17", 0), (USING, 1)])
def test_a_report_decrypts_only_what_a_variable_of_it_uses(
    bao: Bao, mount: str, tmp_path: Path, place: str, decrypts: int
) -> None:
    make_key(bao, mount)
    path = tmp_path / "group_vars/all/keys.transit.yml"
    (tmp_path / "place-17").mkdir()
    path.parent.mkdir(parents=True)
    arguments = {**bao.login, "path": str(path), "backend": mount, "key": "ml"}
    values = {"account": {"password": "canary-of-sudo", "n": 3}, "other": "{{ no_template }}"}
    assert not run_module("vault_transit_vars", {**arguments, "secrets": values}).failed
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **VARS_PLUGIN})
    project.hosts(3, vault_transit_host_paths=[f"{tmp_path}/{place}"])
    ledger = Ledger(bao)
    done = project.run("-e", json.dumps({"vault_transit_status_backends": [mount]}), playbook="mlkeys.transit.status")
    assert asked(ledger).get("decrypt", 0) == decrypts
    assert "canary" not in done.stdout + done.stderr
