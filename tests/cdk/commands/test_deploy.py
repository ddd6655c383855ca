# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The examples on a real server: shown before, deployed, deployed again without a change, shown, taken away."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path

import pytest

from tests.cdk.apps import EXAMPLES, SECRETS
from tests.cdk.command import changes, mlkeys
from tests.integration.support.plays import approle
from tests.support.canary import Watcher, leaking_files
from tests.support.collection import ROOT
from tests.support.server import Bao

PLAINTEXTS = {name: f"FAKE-{secrets.token_hex(8)}" for name in SECRETS}

RECORDER = """
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "notification", "recorder"

    def v2_playbook_on_start(self, playbook):
        os.makedirs(os.environ["RECORD"])
"""


def environment(bao: Bao) -> dict[str, str]:
    return {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **PLAINTEXTS}


def copy(name: str, folder: Path) -> Path:
    target = folder / name
    shutil.copytree(EXAMPLES / name, target, ignore=shutil.ignore_patterns("mlkeys.out", "mlkeys.state", "hosts"))
    return target


def assert_no_secret_in(folder: Path, bao: Bao) -> None:
    for path in folder.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert not [value for value in (bao.token, *PLAINTEXTS.values()) if value in text], path


def assert_nothing_is_left(folder: Path, bao: Bao) -> None:
    mounts = {**bao.done("GET", "sys/mounts")["data"], **bao.done("GET", "sys/auth")["data"]}
    assert not [path for path, mount in mounts.items() if mount["type"] in ("transit", "approle")]
    assert set(bao.done("GET", "sys/policies/acl?list=true")["data"]["keys"]) <= {"default", "root"}
    assert not [*folder.rglob("*.transit.yml"), *folder.rglob("outputs.json"), *folder.rglob("record.json")]


def test_the_seed_is_shown_deployed_read_and_taken_away(
    fresh: Bao, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # No log of Ansible's may keep what a playbook prints: one of them prints secrets.
    log, left = tmp_path / "ansible.log", tmp_path / "left"
    meddling = {
        "ANSIBLE_LOG_PATH": str(log),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree",
        "ANSIBLE_CALLBACK_TREE_DIR": str(left / "tree"),
        "JUNIT_OUTPUT_DIR": str(left / "junit"),
    }
    # A callback that needs no enabling gets all results.
    callbacks = tmp_path / "home" / "plugins" / "callback"
    callbacks.mkdir(parents=True)
    (callbacks / "recorder.py").write_text(RECORDER)
    meddling |= {"ANSIBLE_HOME": str(tmp_path / "home"), "RECORD": str(left)}
    folder, env = copy("seed", tmp_path), {**environment(fresh), **meddling}
    # Whatever shows results on the screen, the counts come from the run itself.
    for callback in ("ansible.builtin.minimal", "ansible.builtin.oneline"):
        mlkeys("diff", "--fail", cwd=folder, env={**env, "ANSIBLE_STDOUT_CALLBACK": callback}, status=2)
    assert changes(mlkeys("diff", "--fail", cwd=folder, env=env, status=2).stdout) > 0
    assert "transit/" not in fresh.done("GET", "sys/mounts")["data"]
    assert changes(mlkeys("deploy", cwd=folder, env=env).stdout) > 0
    assert_no_secret_in(folder, fresh)
    assert "No differences." in mlkeys("diff", "--fail", cwd=folder, env=env).stderr
    plain = mlkeys("output", "--json", cwd=folder, env=env)
    assert PLAINTEXTS["ML_API_KEY"] not in plain.stdout + plain.stderr
    # A short path: Ansible makes sockets in it.
    temporary = tmp_path_factory.mktemp("tmp")
    watcher = Watcher((temporary, tmp_path / "home", folder), PLAINTEXTS)
    with watcher.watching():
        asked = mlkeys("output", "--json", "--show-secrets", cwd=folder, env={**env, "TMPDIR": str(temporary)})
    assert watcher.leaks == set()
    assert leaking_files(tmp_path, PLAINTEXTS) == leaking_files(temporary, PLAINTEXTS) == set()
    shown = json.loads(asked.stdout)
    assert shown["decrypted_plaintext"] == PLAINTEXTS["ML_API_KEY"]
    assert shown["ciphertext"].startswith("vault:v1:")
    assert mlkeys("output", "ciphertext", cwd=folder, env=env).stdout.strip() == shown["ciphertext"]
    denied = mlkeys("output", "--show-secrets", cwd=folder, env={**env, "BAO_TOKEN": "wrong"}, status=1)
    assert "cannot be decrypted" in denied.stderr
    assert not log.exists()
    assert not left.exists()
    doctor = json.loads(mlkeys("doctor", "--json", cwd=folder, env=env).stdout)
    assert all(check["ok"] for check in doctor), doctor
    # A key that the program does not declare keeps the engine alive.
    fresh.done("POST", "transit/keys/theirs", {})
    kept = mlkeys("destroy", "--protected-keys", cwd=folder, env=env, stdin="y\n")
    assert "app: engine transit (kept: others use it)" in kept.stderr
    assert fresh.done("GET", "transit/keys?list=true")["data"]["keys"] == ["theirs"]
    fresh.done("POST", "transit/keys/theirs/config", {"deletion_allowed": True})
    fresh.done("DELETE", "transit/keys/theirs")
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)
    assert_nothing_is_left(folder, fresh)


def test_hosts_keep_their_files_when_all_else_is_taken_away(fresh: Bao, tmp_path: Path) -> None:
    folder, env = copy("llm_gateway", tmp_path), environment(fresh)
    assert_any_login_deploys(folder, fresh)
    assert_no_secret_in(folder, fresh)
    hosts = folder / "hosts"
    on_hosts = [path for path in hosts.rglob("*") if path.is_file() and "vault:v1:" in path.read_text()]
    assert len(on_hosts) == 9
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)
    assert_nothing_is_left(folder, fresh)
    assert all(path.is_file() for path in on_hosts)


def assert_any_login_deploys(folder: Path, bao: Bao) -> None:
    """Deploy with the rights of the guide alone: by an AppRole, and then by the token in the file that a login left."""
    guide = (ROOT / "docs" / "guides" / "policies.md").read_text(encoding="utf-8")
    policy = guide.partition("# deployer.hcl\n")[2].partition("```")[0]
    server = {**PLAINTEXTS, "BAO_ADDR": bao.addr}
    with approle(bao, policy) as login:
        assert changes(mlkeys("deploy", cwd=folder, env={**server, **login.environment}).stdout) > 0
        paths = [entry["request"]["path"] for entry in bao.audit_entries()]
        assert paths.count(f"auth/{login.mount}/login") == 1
        assert paths.index(f"auth/{login.mount}/login") < len(paths) - 1 - paths[::-1].index("auth/token/revoke-self")
        token = bao.done("POST", "auth/token/create", {"policies": [login.mount]})["auth"]["client_token"]
        (folder / ".vault-token").write_text(token)
        # All that must last is elsewhere.
        shutil.rmtree(folder / "mlkeys.out")
        assert changes(mlkeys("deploy", cwd=folder, env={**server, "HOME": str(folder)}).stdout) == 0
    assert bao.done("GET", "auth/approle/role/gateway")["data"]["token_policies"] == ["gateway"]


def test_stacks_are_deployed_and_destroyed_one_by_one(fresh: Bao, tmp_path: Path) -> None:
    folder, env = copy("multi_env", tmp_path), environment(fresh)
    # As prod waits for stage, in whatever order they are named.
    two = ("--stack", "prod", "--stack", "stage")
    deployed = mlkeys("deploy", "--json", *two, cwd=folder, env=env)
    report = json.loads(deployed.stdout)["stacks"]
    assert [(stack["name"], stack["state"]) for stack in report] == [("stage", "done"), ("prod", "done")]
    assert all(stack["changed"] == sum(stack["counts"].values()) > 0 for stack in report)
    assert {*report[0]["changes"][0]} == {"task", "host", "kind", "names"}
    assert deployed.stderr == "[1/2] stack stage\n[2/2] stack prod\n"
    # Outputs are written again, which does not count. Of all else, one thing is not as it was.
    outputs = folder / "mlkeys.out" / "ansible" / "prod" / "outputs.json"
    written = outputs.read_text()
    outputs.write_text("{}")
    fresh.done("POST", "sys/mounts/prod/transit/tune", {"description": "by hand"})
    shown = mlkeys("deploy", "--stack", "prod", "--verbose", cwd=folder, env=env).stdout
    assert changes(shown) == 1
    assert outputs.read_text() == written
    assert "\nTASK [Engine engine] ***" in shown
    table = re.escape(
        '  ~ Engine engine  changed  description "by hand" → "ML keys (prod)"\n'
        "Deployed: 0 created, 1 changed, 0 revoked, 0 kept in "
    )
    assert re.search(rf"\n{table}\d+\.\d s\.\n$", shown)
    assert_no_secret_in(folder, fresh)
    # The key of stage may be deleted; that of prod stays protected.
    assert (
        "deletion: prod/transit/prod-providers."
        in mlkeys("destroy", "--yes", *two, cwd=folder, env=env, status=1).stderr
    )
    asked = mlkeys("destroy", "--protected-keys", *two, cwd=folder, env=env, stdin="n\n", status=1).stderr
    assert "Destroy prod, stage with 2 keys" in asked
    mlkeys("destroy", "--yes", "--stack", "stage", cwd=folder, env=env)
    mounts = fresh.done("GET", "sys/mounts")["data"]
    assert [path for path, mount in mounts.items() if mount["type"] == "transit"] == ["prod/transit/"]
