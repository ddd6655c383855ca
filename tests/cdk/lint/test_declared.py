# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint` checks the encrypted vars files that variables name, as rotations do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from tests.cdk.lint.linting import lint, listed, written

ENTRY = "a: vault:v1:cut\n_transit: {backend: transit, key: ml}\n"
ONE = 'vault_transit_vars_files: [{path: "PATH", key: ml}]\n'


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encrypted vars file outside of the checked folder. Its entry has no fingerprint."""
    path = tmp_path_factory.mktemp("elsewhere") / "keys.transit.yml"
    path.write_text(ENTRY)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("group_vars/all.yml", ONE),
        ("host_vars/localhost/main.yaml", "vault_transit_host_vars_files:\n  - PATH\n"),
        ("hosts.json", '{"all": {"vars": {"vault_transit_rotate_vars_files": ["PATH"]}}}'),
        ("play.yml", "- hosts: all\n  vars:\n    vault_transit_status_vars_files: ['PATH']\n"),
        ("hosts", "[all:vars]\nvault_transit_host_vars_files=['PATH']\n"),
        ("hosts.ini", "a x=1 vault_transit_vars_files=\"[{'path': 'PATH'}]\"\n"),
        (
            "group_vars/a.yml",
            ONE.replace("PATH", "{{ file }}") + "file: '{{folder}}/{{ name }}'\nfolder: FOLDER\nname: NAME\n",
        ),
    ],
    ids=["vars", "host", "json", "play", "ini", "ini-host", "texts"],
)
def test_a_declared_file_is_checked_wherever_it_is(name: str, text: str, elsewhere: Path) -> None:
    filled = text.replace("PATH", str(elsewhere)).replace("FOLDER", str(elsewhere.parent))
    written(name, filled.replace("NAME", elsewhere.name))
    assert listed(".") == [f"MLK203 {elsewhere}:1"]


@pytest.mark.parametrize(
    "path",
    [
        "{{ inventory_dir }}/../FOLDER/keys.transit.yml",
        "../FOLDER/keys.transit.yml",
        "{{ playbook_dir }}/../FOLDER/{{ inventory_hostname }}.transit.yml",
        "{{ place }}/keys.transit.yml",
    ],
    ids=["inventory", "relative", "host", "variable"],
)
def test_folders_that_ansible_defines_are_known(path: str, elsewhere: Path) -> None:
    relative = f"../{elsewhere.parent.name}"
    written("group_vars/a/files.yml", ONE.replace("PATH", path.replace("FOLDER", elsewhere.parent.name)))
    # It has another value in another group.
    written("group_vars/b.yml", "place: /nowhere\n")
    written("host_vars/c.yml", f"place: '{{{{ inventory_dir }}}}/{relative}'\n")
    assert listed(".") == [f"MLK203 {relative}/keys.transit.yml:1"]


def test_what_is_not_found_is_named() -> None:
    written("group_vars/all.yml", "x: 1\n" + ONE.replace("PATH", "keys.transit.yml"))
    written("group_vars/b.yml", ONE.replace("PATH", "{{ lookup('env', 'KEYS') }}"))
    written("group_vars/c.yml", "vault_transit_vars_files: '{{ some + more }}'\n")
    written("group_vars/d.yml", "vault_transit_vars_files: [{store: kv, kv_path: ml/keys, key: ml}]\n")
    written("group_vars/e.yml", ONE.replace("PATH", "allowed.transit.yml").rstrip() + "  # mlkeys: allow\n")
    assert listed(".") == [
        "MLK207 group_vars/all.yml:2",
        "MLK208 group_vars/b.yml:1",
        "MLK208 group_vars/c.yml:1",
        "MLK206 group_vars/d.yml:1",
    ]
    assert "Show 4 more with --notes" in lint(".").stderr
    assert listed(".", "--exclude", "keys.transit.yml", "--exclude", "{{*", "--exclude", "secret/*") == []


def test_what_only_looks_like_a_declaration_declares_nothing() -> None:
    written("meta/argument_specs.yml", "vault_transit_vars_files:\n  type: list\n")
    written("README.md", ONE.replace("PATH", "a.transit.yml"))
    written("broken.yml", "a: [\nvault_transit_vars_files: x\n")
    written("none.yml", "vault_transit_vars_files: []\n---\n- vault_transit_host_vars_files:\n")
    assert listed(".") == []


def test_a_file_that_points_to_a_document_says_that_it_was_not_read() -> None:
    pointer = "_transit: {format: 1, store: kv, kv_mount: secret, kv_path: ml/keys, backend: transit, key: ml}\n"
    written("keys.transit.yml", pointer)
    done = CliRunner().invoke(main, ["lint", "--notes", "--json"])
    [found] = json.loads(done.stdout)["findings"]
    assert (found["rule"], found["path"]) == ("MLK206", "keys.transit.yml")
    assert "'secret/ml/keys'" in found["message"]
