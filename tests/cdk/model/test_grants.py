# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The rights that grants give on a real server, and a file with plaintext."""

from __future__ import annotations

import base64
from pathlib import Path

from mlkeys import transit as vault
from tests.cdk.apps import files, key_in, problems, stack, terraform
from tests.cdk.command import changes, mlkeys
from tests.support.server import Bao, policy_token


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_grants_allow_their_use_and_nothing_else(bao: Bao, mount: str) -> None:
    s = stack()
    key = vault.TransitSecretBackendKey.from_existing(s, "key", name="key", backend=mount, derived=True)
    key.grant_encrypt(vault.Policy(s, "only-encrypt"), secrets=("one",))
    key.grant_decrypt(vault.Policy(s, "only-decrypt"), secrets=("one",))
    key.grant_rewrap(vault.Policy(s, "only-rewrap"))
    key.grant_rotate(vault.Policy(s, "only-rotate"))
    key.grant_datakey(vault.Policy(s, "only-datakey"))
    key.grant_sign(vault.Policy(s, "only-sign"))
    key.grant_import(vault.Policy(s, "only-import"))
    bao.done("POST", f"{mount}/keys/key", {"derived": True})
    texts = {name: {"plaintext": encoded("text"), "context": encoded(name)} for name in ("one", "two")}
    stored = {
        name: {**body, "ciphertext": bao.done("POST", f"{mount}/encrypt/key", body)["data"]["ciphertext"]}
        for name, body in texts.items()
    }
    sealed = {name: {part: body[part] for part in ("ciphertext", "context")} for name, body in stored.items()}
    requests: dict[str, tuple[str, dict[str, str]]] = {
        "encrypt one": ("encrypt/key", texts["one"]),
        "encrypt two": ("encrypt/key", texts["two"]),
        "decrypt one": ("decrypt/key", sealed["one"]),
        "decrypt two": ("decrypt/key", sealed["two"]),
        "rewrap": ("rewrap/key", sealed["one"]),
        "rotate": ("keys/key/rotate", {}),
        "datakey": ("datakey/plaintext/key", {"context": encoded("one")}),
        "raise the floor": ("keys/key/config", {"min_decryption_version": "1"}),
        "delete": ("keys/key/config", {"deletion_allowed": "true"}),
        "export": ("keys/key/config", {"min_decryption_version": "1", "exportable": "true"}),
    }
    for policy, allowed in (
        ("only-encrypt", {"encrypt one"}),
        ("only-decrypt", {"decrypt one"}),
        ("only-rewrap", {"rewrap"}),
        ("only-datakey", {"datakey"}),
        # A derived symmetric key can do neither.
        ("only-sign", set()),
        ("only-import", set()),
        ("only-rotate", {"rotate", "rewrap", "raise the floor"}),
    ):
        with policy_token(bao, files(s)[f"ansible/s/policies/{policy}.hcl"]) as token:
            worked = {
                name
                for name, (path, body) in requests.items()
                if bao.request("POST", f"{mount}/{path}", body, token)[0] == 200
            }
        assert worked == allowed, policy


PLAINTEXT = "FAKE-what-the-service-needs"

PROGRAM = """
from mlkeys import EncryptedVars, HostConfig, Inventory, Secret
from mlkeys import transit as vault
engine = vault.TransitSecretBackend("engine", path="granted")
key = vault.TransitSecretBackendKey("key", backend=engine.path, name="key", derived=True, deletion_allowed=True)
secrets = EncryptedVars("v", key=key, secrets={"one": Secret.env("ML_API_KEY")})
auth = vault.AppRoleAuth("approle")
web = Inventory("hosts").local("web", ["a"])
plaintext = key.decrypt(secrets["one"]).plaintext
HostConfig("shown", hosts=web, env={"KEY": plaintext}, dest="/FOLDER/plain.env", delivery="plaintext")
"""


def test_plaintext_reaches_a_file_that_others_cannot_read(fresh: Bao, tmp_path: Path) -> None:
    program = PROGRAM.replace("/FOLDER", str(tmp_path))
    (tmp_path / "app.py").write_text(program)
    env = {"BAO_ADDR": fresh.addr, "BAO_TOKEN": fresh.token, "ML_API_KEY": PLAINTEXT}
    mlkeys("deploy", cwd=tmp_path, env=env)
    (tmp_path / "app.py").write_text(
        program.replace('AppRoleAuth("approle")', 'AppRoleAuth("approle", description="new")')
    )
    assert changes(mlkeys("deploy", cwd=tmp_path, env=env).stdout) == 1
    assert fresh.done("GET", "sys/auth/approle")["data"]["description"] == "new"
    assert (tmp_path / "plain.env").read_text().endswith(f"KEY={PLAINTEXT}\n")
    assert (tmp_path / "plain.env").stat().st_mode & 0o777 == 0o600


def test_rules_of_one_path_are_one_however_it_is_written() -> None:
    s = stack()
    key = key_in(s)
    policy = vault.Policy(s, "p")
    key.grant_encrypt(policy)
    policy.allow("transit/encrypt/key", "read").allow("/transit/encrypt/key", "list")
    text = 'path "transit/encrypt/key" {\n  capabilities = ["read", "update", "list"]\n}\n'
    assert files(s)["ansible/s/policies/p.hcl"] == text
    assert terraform(s)["resource"]["vault_policy"]["p"]["policy"].count("path ") == 1


def test_rules_that_cannot_be_one_are_refused_with_their_lines() -> None:
    s = stack()
    key = key_in(s)
    policy = vault.Policy(s, "p")
    first = __import__("inspect").currentframe().f_lineno + 1
    key.grant_rotate(policy)
    policy.allow("transit/keys/key/config", "read")
    (problem,) = problems(s)
    assert "two rules for 'transit/keys/key/config' cannot be one: one restricts parameters for update" in problem
    assert f"(model/test_grants.py:{first}, model/test_grants.py:{first + 1})" in problem
