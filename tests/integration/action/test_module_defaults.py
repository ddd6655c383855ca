# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of module_defaults configures all modules, and those of community.hashi_vault where it is installed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.integration.support.backups import age_holder, backup_file
from tests.integration.support.plays import Project, make_key, vars_file
from tests.support.collection import ROOT, collections_path
from tests.support.server import Bao

GROUP = "group/mlkeys.transit.vault"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))

HOLDER = age_holder()
NOWHERE = "http://127.0.0.1:1"

OPTIONS: dict[str, dict[str, object]] = {
    "load_vars": {"file": "sealed.transit.yml"},
    "vault_transit_approle": {"name": "gateways"},
    "vault_transit_backend": {"path": "nowhere"},
    "vault_transit_backup": {
        "name": "ml",
        "path": "ml.backup",
        "recipients": [HOLDER.recipient],
    },
    "vault_transit_ciphertext_info": {"paths": ["."], "key": "ml"},
    "vault_transit_key": {"name": "ml"},
    "vault_transit_key_export": {
        "name": "ml",
        "key_type": "encryption-key",
        "path": "ml.key",
        "i_understand": "whoever reads the file has the key",
    },
    "vault_transit_key_info": {"name": "ml"},
    "vault_transit_keys": {"keys": [{"name": "ml"}]},
    "vault_transit_policy": {"name": "gateways", "grants": [{"allow": ["encrypt"]}]},
    "vault_transit_restore": {"path": "ml.backup", "age_identity": HOLDER.identity},
    "vault_transit_rewrap": {"paths": ["."], "key": "ml"},
    "vault_transit_secret_id": {"role": "gateways"},
    "vault_transit_unwrap": {"wrapping_token": "none", "files": [{"path": "secret-id", "field": "secret_id"}]},
    "vault_transit_vars": {"path": "keys.transit.yml", "key": "ml", "secrets": {"a": "b"}},
}


def test_the_group_has_every_module_and_each_has_its_action_plugin() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    [metadata, *members] = runtime["action_groups"]["vault"]
    assert metadata["metadata"]["extend_group"] == ["community.hashi_vault.vault"]
    assert members == MODULES
    assert sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py")) == MODULES


def write(project: Project, tasks: list[dict[str, object]], defaults: dict[str, object]) -> None:
    play = {"hosts": "all", "gather_facts": False, "module_defaults": {GROUP: defaults}, "tasks": tasks}
    project.write("play.yml", json.dumps([play]))


@pytest.mark.parametrize("way", ["in process", "sent"])
def test_one_entry_configures_all(bao: Bao, mount: str, tmp_path: Path, way: str) -> None:
    project = Project(tmp_path)
    project.hosts(1)
    backup = backup_file(bao, mount, HOLDER, tmp_path / "ml.backup")
    make_key(bao, mount, "sealed")
    project.write("sealed.transit.yml", vars_file(bao, mount, {"a": "b"}, "sealed"))
    tasks: list[dict[str, object]] = []
    # Those two need no server.
    for module in [name for name in MODULES if name not in ("vault_transit_file", "vault_transit_files")]:
        paths = {"vault_transit_vars": tmp_path / "k.transit.yml", "vault_transit_restore": backup}
        given = {**OPTIONS[module], **({"path": str(paths[module])} if module in paths else {})}
        tasks.append(
            {
                f"mlkeys.transit.{module}": given,
                "register": "out",
                "ignore_errors": True,
                "environment": {"X": "y"} if way == "sent" else {},
            }
        )
        tasks.append({"ansible.builtin.assert": {"that": [f"'{NOWHERE}' in out.msg"]}})
    write(project, tasks, {"url": NOWHERE, "token": "none"})
    done = project.run()
    assert "WARNING" not in done.stdout + done.stderr


def test_an_option_of_the_task_wins(bao: Bao, mount: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.hosts(1)
    task: dict[str, object] = {"mlkeys.transit.vault_transit_key_info": {"backend": mount, "url": bao.addr}}
    write(project, [task], {"url": NOWHERE, "token": bao.token})
    done = project.run("-vvvv")
    assert bao.token not in done.stdout + done.stderr


def test_it_configures_modules_of_the_other_collection(tmp_path: Path) -> None:
    """A collection of one module stands in for community.hashi_vault."""
    other = tmp_path / "collections/ansible_collections/community/hashi_vault"
    (other / "plugins/modules").mkdir(parents=True)
    (other / "meta").mkdir()
    (other / "galaxy.yml").write_text("namespace: community\nname: hashi_vault\nversion: 7.0.0\n", encoding="utf-8")
    runtime = "requires_ansible: '>=2.16.0'\naction_groups:\n  vault: [vault_read]\n"
    (other / "meta/runtime.yml").write_text(runtime, encoding="utf-8")
    (other / "plugins/modules/vault_read.py").write_text(
        "from ansible.module_utils.basic import AnsibleModule\n"
        "module = AnsibleModule(argument_spec={'url': {'type': 'str'}, 'path': {'type': 'str'}})\n"
        "module.exit_json(changed=False, used=module.params['url'])\n",
        encoding="utf-8",
    )
    project = Project(tmp_path)
    project.hosts(1)
    tasks: list[dict[str, object]] = [
        {"community.hashi_vault.vault_read": {"path": "x"}, "register": "theirs"},
        {"mlkeys.transit.vault_transit_key_info": {}, "register": "ours", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": [f"theirs.used == '{NOWHERE}'", f"'{NOWHERE}' in ours.msg"]}},
    ]
    write(project, tasks, {"url": NOWHERE})
    paths = os.pathsep.join([str(tmp_path / "collections"), str(collections_path())])
    done = project.run(env={"ANSIBLE_COLLECTIONS_PATH": paths, "BAO_TOKEN": "none"})
    assert "WARNING" not in done.stdout + done.stderr
