# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vars plugin with variables of the inventory: several servers and namespaces in one run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.support.plays import VARS_PLUGIN, Project, asked, encrypted, make_key, messages
from tests.integration.support.runs import Ledger
from tests.support.server import Bao

NAMES = ("prod", "staging")


@pytest.fixture
def namespaces(bao: Bao) -> Iterator[dict[str, str]]:
    """Two namespaces, each with an engine and a key of the same names."""
    made = {name: f"{name}-{secrets.token_hex(4)}" for name in NAMES}
    for namespace in made.values():
        bao.done("POST", f"sys/namespaces/{namespace}", {})
        bao.done("POST", f"{namespace}/sys/mounts/transit", {"type": "transit"})
        make_key(bao, f"{namespace}/transit")
    yield made
    for namespace in made.values():
        bao.done("DELETE", f"{namespace}/sys/mounts/transit")
        bao.done("DELETE", f"sys/namespaces/{namespace}")


def text(bao: Bao, namespace: str, **values: str) -> str:
    metadata = {"format": 1, "backend": "transit", "key": "ml", "hmac": {}}
    return json.dumps({**encrypted(bao, f"{namespace}/transit", values), "_transit": metadata})


@pytest.fixture
def project(bao: Bao, namespaces: dict[str, str], tmp_path: Path) -> Project:
    """One group says where its secrets are in a file, with a template; the other one in the inventory."""
    made = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **VARS_PLUGIN})
    local = {"ansible_connection": "local"}
    inventory = {
        "all": {
            "vars": {"suffix": namespaces["prod"].rpartition("-")[2], **local},
            "children": {
                "prod": {"hosts": {"p1": {}, "p2": {}}, "children": {"canary": {"hosts": {"p3": {}}}}},
                "staging": {"hosts": {"s1": {}}, "vars": {"ansible_hashi_vault_namespace": namespaces["staging"]}},
            },
        }
    }
    made.write("inventory.yml", json.dumps(inventory))
    made.write("group_vars/prod/server.yml", "ansible_hashi_vault_namespace: 'prod-{{ suffix }}'\n")
    for name, namespace in namespaces.items():
        made.write(f"group_vars/{name}/keys.transit.yml", text(bao, namespace, token=f"FAKE-{name}"))
    made.write("group_vars/canary/keys.transit.yml", text(bao, namespaces["prod"], own="FAKE-canary"))
    made.write("host_vars/p1/keys.transit.yml", text(bao, namespaces["prod"], own="FAKE-p1"))
    made.play("- ansible.builtin.debug: {msg: \"{{ inventory_hostname }} {{ token }} {{ own | default('-') }}\"}")
    return made


def test_each_host_gets_the_values_of_its_namespace_with_one_request_for_each(bao: Bao, project: Project) -> None:
    ledger = Ledger(bao)
    done = project.run()
    assert sorted(messages(done.stdout)) == [
        "p1 FAKE-prod FAKE-p1",
        "p2 FAKE-prod -",
        "p3 FAKE-prod FAKE-canary",
        "s1 FAKE-staging -",
    ]
    assert asked(ledger)["decrypt"] == 2


def test_extra_variables_win_and_an_error_names_server_and_namespace(
    bao: Bao, project: Project, namespaces: dict[str, str]
) -> None:
    done = project.run("--limit", "s1", "-e", f"ansible_hashi_vault_namespace={namespaces['prod']}", status=2)
    said = " ".join((done.stdout + done.stderr).split())
    assert f"Asked: {bao.addr}, namespace '{namespaces['prod']}'." in said
    assert "staging/keys.transit.yml" in said


def test_a_group_has_a_server_of_its_own(project: Project) -> None:
    project.write("group_vars/staging/server.yml", "ansible_hashi_vault_url: http://127.0.0.1:1\n")
    assert messages(project.run("--limit", "p2").stdout) == ["p2 FAKE-prod -"]
    failed = project.run("--limit", "s1", status=2)
    said = " ".join((failed.stdout + failed.stderr).split())
    assert "Asked: http://127.0.0.1:1, namespace 'staging-" in said


def test_a_template_that_needs_more_than_the_inventory_is_named(project: Project) -> None:
    project.write("group_vars/prod/server.yml", "ansible_hashi_vault_namespace: '{{ of_the_play }}'\n")
    said = " ".join(project.run("--limit", "p2", status=4).stderr.split())
    assert "The template of the variable ansible_hashi_vault_namespace cannot be resolved." in said
