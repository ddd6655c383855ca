# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Sources of plaintext: files, prompts and a KV engine, on a real server."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError

from mlkeys import Secret
from tests.cdk.apps import key_in, stack, task_of
from tests.cdk.command import changes, mlkeys, mlkeys_on_terminal
from tests.cdk.readers import ansible_template
from tests.integration.conftest import SecureBao
from tests.integration.support.plays import approle

PROGRAM = """
from mlkeys import EncryptedVars, Secret, export
from mlkeys import transit as vault
engine = vault.TransitSecretBackend("engine", path="sources")
key = vault.TransitSecretBackendKey("key", backend=engine.path, name="key", derived=True, deletion_allowed=True)
taken = EncryptedVars("taken", key=key, secrets={
    "from_file": Secret.file("secrets/token"),
    "asked": Secret.prompt("What is {{ it }}?"),
    "from_kv": Secret.kv("teams/ml", "to'ken"),
})
for name in ("from_file", "asked", "from_kv"):
    export(f"opened_{name}", key.decrypt(taken[name]))
"""
#: The least rights that a run needs.
POLICY = """
path "sys/mounts/sources" { capabilities = ["read"] }
path "sources/config/keys" { capabilities = ["read"] }
path "sources/keys/key" { capabilities = ["read"] }
path "sources/+/key" { capabilities = ["update"] }
path "secret/data/teams/ml" { capabilities = ["read"] }
"""
QUESTION = "What is {{ it }}?"


def plaintext(kind: str) -> str:
    """Return a text that would be an error in a template, a shell or a parser."""
    return f"{kind} {{{{ no such thing }}}} {{% $'\"\\ {secrets.token_hex(4)}"


def test_files_prompts_and_a_kv_engine_provide_secrets(secure_bao: SecureBao, tmp_path: Path) -> None:
    bao = secure_bao.bao
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "secrets").mkdir()
    given = {name: plaintext(name) for name in ("from_file", "asked", "from_kv")}
    (tmp_path / "secrets" / "token").write_text(f"{given['from_file']}\n")
    bao.done("POST", "secret/data/teams/ml", {"data": {"to'ken": given["from_kv"]}})
    # Only OpenBao's variables name the right server. The second member of the cluster does not exist.
    env = {
        "BAO_ADDR": f"{secure_bao.url},https://127.0.0.1:1",
        "BAO_TOKEN": bao.token,
        "BAO_CACERT": secure_bao.ca_cert,
        "VAULT_ADDR": "https://127.0.0.1:1",
        "VAULT_TOKEN": "another",
    }
    shown = mlkeys_on_terminal("deploy", cwd=tmp_path, env=env, answers={QUESTION: given["asked"]})
    assert changes(shown) == 3
    assert not [value for value in given.values() if value in shown]
    opened = json.loads(mlkeys("output", "--json", "--show-secrets", cwd=tmp_path, env=env).stdout)
    assert opened == {f"opened_{name}": value for name, value in given.items()}

    # Another login with the least rights; one secret has changed.
    before = stored(tmp_path)
    login = {name: value for name, value in env.items() if "TOKEN" not in name}
    with approle(bao, POLICY) as role:
        env = {**login, **role.environment}
        shown = mlkeys_on_terminal("deploy", cwd=tmp_path, env=env, answers={QUESTION: "another"})
        assert (changes(shown), role.logins(bao)) == (1, 1)
    assert {name for name, text in stored(tmp_path).items() if text != before[name]} == {"asked"}
    nobody_answers(tmp_path, {**env, "BAO_TOKEN": bao.token, "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "token"})


def stored(folder: Path) -> dict[str, Any]:
    text = (folder / "mlkeys.state/app/sources/key.transit.yml").read_text()
    return {name: value for name, value in yaml.safe_load(text).items() if name != "_transit"}


def nobody_answers(folder: Path, env: dict[str, str]) -> None:
    """Without a terminal, Ansible itself would use the string "None" as the answer. What is stored is kept."""
    before = stored(folder)
    run = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "site.yml"],
        cwd=folder / "mlkeys.out" / "ansible" / "app",
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert stored(folder) == before


def test_an_answer_that_the_terminal_has_cut_is_not_stored() -> None:
    part = stack()
    key_in(part).encrypt(Secret.prompt("Which?"), name="asked")
    template = task_of(part, "mlkeys.transit.vault_transit_vars")["secrets"]["asked"]
    for answer in ("k" * 4094, "k" * 4096):
        assert ansible_template(template, asked_answer=answer) == answer
    # A terminal counts bytes.
    for answer in ("k" * 4095, "\u20ac" * 1365):
        with pytest.raises(AnsibleError, match=r"has cut the answer for asked after 4095 bytes\. Use Secret.file"):
            ansible_template(template, asked_answer=answer)


def test_missing_secrets_are_named_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        PROGRAM.replace("Secret.kv", "Secret.env('EMPTY'), 'b': Secret.env('UNSET'), 'c': Secret.kv")
    )
    stderr = mlkeys("deploy", cwd=tmp_path, env={"EMPTY": ""}, status=1).stderr
    assert stderr.splitlines()[-5:] == [
        "Error: Nothing was deployed: secrets are missing.",
        "  [app/taken/from_file] (app.py:6) secrets/token is not a readable file",
        "  [app/taken/asked] (app.py:6) cannot prompt for 'What is {{ it }}?': standard input is not a terminal",
        "  [app/taken/from_kv] (app.py:6) the environment variable EMPTY is empty",
        "  [app/taken/b] (app.py:6) the environment variable UNSET is not set",
    ]
