# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names in grants, and texts where lists belong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mlkeys import Agent, Annotations, App, EncryptedVars, HostConfig, Inventory, Secret, Stack
from mlkeys import transit as vault
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import app_of, files, key_in, plays, problems, stack, task_of, terraform

TEXT: Any = "abc"


def granted(s: Stack) -> None:
    key_in(s, derived=True).grant_decrypt(vault.Policy(s, "p"), secrets=TEXT)


def hosts(s: Stack) -> None:
    Inventory(s, "i").group("web", TEXT)


def parameters(s: Stack) -> None:
    vault.Policy(s, "p").allow("a", "read", parameters={"x": TEXT})


def command(s: Stack) -> None:
    key, role = key_in(s), vault.AppRole(s, "r", token_policies=["default"])
    env = {"A": key.encrypt(Secret.env("A")).ciphertext}
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(
        s, "f", hosts=web, dest="/etc/systemd/system/f.service", agent=Agent(TEXT, env, role, address="https://a")
    )


def policies(s: Stack) -> None:
    vault.AppRole(s, "r", token_policies=TEXT)


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (granted, "secrets must be a list of names, such as secrets=['abc']"),
        (hosts, "hosts must be a list"),
        (parameters, "the values of parameters must be lists"),
        (command, "command must be a list"),
        (policies, "token_policies must be a list"),
    ],
)
def test_a_text_where_a_list_belongs_is_refused(plant: Callable[[Stack], None], message: str) -> None:
    s = stack()
    plant(s)
    assert any(message in text for text in problems(s))


def warnings(s: Stack) -> list[str]:
    found: list[str] = json.loads(files(s)["manifest.json"])["warnings"]
    return found


def test_a_grant_on_a_secret_that_no_file_has_is_a_warning_with_its_line() -> None:
    s = stack()
    key = key_in(s, derived=True)
    EncryptedVars(s, "v", key=key, secrets={"openai_api_key": Secret.env("A")})
    policy = vault.Policy(s, "p")
    key.grant_decrypt(policy, secrets=["openai_api_key"])
    assert warnings(s) == []
    key.grant_decrypt(policy, secrets=["openai_api_kee"])
    line = __import__("inspect").currentframe().f_lineno - 1
    (warning,) = warnings(s)
    assert warning.startswith(f"[s/key] (model/test_names.py:{line}) warning unknown-secret:")
    assert "the program grants the secret 'openai_api_kee', which none of its vars files has." in warning
    assert "Did you mean 'openai_api_key'?" in warning
    Annotations.of(key).acknowledge("unknown-secret")
    assert warnings(s) == []


def test_a_version_below_what_a_rotation_raised_it_to_is_a_warning() -> None:
    s = stack()
    key = vault.TransitSecretBackendKey(s, "k", backend="t/", name="k", min_decryption_version=2)
    assert not synthesize(app_of(s), floors={s: {"t/k": 2, "t/other": 5}}).warnings
    (found,) = synthesize(app_of(s), floors={s: {"t/k": 3}}).warnings
    assert "lower-floor: min_decryption_version=2 has no effect: a rotation raised it to 3." in found.message
    assert not synthesize(app_of(s), floors={Stack(app_of(s), "other"): {"t/k": 3}}).warnings
    Annotations.of(key).acknowledge("lower-floor")
    assert not synthesize(app_of(s), floors={s: {"t/k": 3}}).warnings


def test_an_existing_key_may_have_secrets_of_other_programs() -> None:
    s = stack()
    key = vault.TransitSecretBackendKey.from_existing(s, "k", name="k", derived=True)
    key.grant_decrypt(vault.Policy(s, "p"), secrets=["openai_apikey"])
    assert not synthesize(app_of(s)).warnings
    EncryptedVars(s, "v", key=key, secrets={"openai_api_key": Secret.env("A")})
    (found,) = synthesize(app_of(s)).warnings
    assert "Did you mean 'openai_api_key'?" in found.message


def test_many_unknown_secrets_are_counted() -> None:
    s = stack()
    key_in(s, derived=True).grant_decrypt(vault.Policy(s, "p"), secrets=[f"s{number}" for number in range(20)])
    found = warnings(s)
    assert len(found) == 6
    assert "grants 15 more secrets" in found[-1]


def test_the_secrets_of_a_key_are_known_by_whatever_construct_names_it() -> None:
    s = stack()
    key = key_in(s, derived=True)
    same = vault.TransitSecretBackendKey.from_existing(s, "same", name="key", derived=True)
    EncryptedVars(s, "v", key=same, secrets={"a": Secret.env("A")})
    key.grant_decrypt(vault.Policy(s, "p"), secrets=["a"])
    same.grant_decrypt(vault.Policy(s, "q"), secrets=["kept elsewhere"])
    assert warnings(s) == []


def test_references_in_overrides_and_names_are_rendered() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="p")
    key = key_in(s)
    key.add_override("note", [f"of {engine.path}"])
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "c", hosts=web, dest="/etc/a", json={"a": 1}, owner=f"{key.name}", restart=f"{key.name}")
    assert task_of(s, "mlkeys.transit.vault_transit_keys")["note"] == ["of p"]
    body = terraform(s)["resource"]["vault_transit_secret_backend_key"]["key"]
    assert body["note"] == ["of ${vault_mount.engine.path}"]
    play = plays(s)[1]
    task = play["tasks"][-1]
    assert (task["mlkeys.transit.vault_transit_files"]["files"][0]["owner"], task["notify"]) == ("key", "Restart key")
    assert play["handlers"][0]["name"] == "Restart key"
    assert app_of(s).node.path == ""


def test_names_that_no_file_can_have_are_refused() -> None:
    s = Stack(App(), "s" * 256)
    web = Inventory(s, "i").group("g" * 256, ["h"])
    vault.TransitSecretBackendKey(s, "long", backend="transit", name="n" * 244)
    vault.TransitSecretBackend(s, "engine", path=f"team/{'e' * 256}")
    vault.Policy(s, "p", name=f"team/{'p' * 252}").allow("a", "read")
    vault.Policy(s, "q", name=f"{'p' * 251}/{'p' * 251}").allow("a", "read")
    HostConfig(s, "c" * 250, hosts=web, dest="/etc/a", json={"a": 1})
    found = [message.rpartition(") ")[2] for message in problems(s)]
    assert found == [
        "the name of the group is too long by 1: the name of its file can have 255 bytes",
        "the name of the key is too long by 1: the name of its file can have 255 bytes",
        "the path of the engine is too long by 1: the name of its file can have 255 bytes",
        "the name of the policy is too long by 1: the name of its file can have 255 bytes",
        "the path of the construct is too long by 264: the name of its file can have 255 bytes",
        "the id of the stack is too long by 1: the name of its file can have 255 bytes",
    ]


def test_names_of_secrets_that_a_rotation_does_not_read_are_refused() -> None:
    s = stack()
    key_in(s).encrypt(Secret.env("A"), name="a" * 200)
    assert files(s)
    key_in(s, "other").encrypt(Secret.env("A"), name="b" * 203)
    assert problems(s)[0].endswith("the name is too long by 3: it can have 200 characters")


def test_names_that_no_host_or_server_can_have_are_refused() -> None:
    s = stack("s")
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "c", hosts=web, dest=f"/etc/{'d' * 256}/x", json={"a": 1})
    engine = vault.TransitSecretBackend(s, "e", path="e" * 300)
    key = vault.TransitSecretBackendKey(s, "k", backend=engine.path, name="k")
    key.encrypt(Secret.env("A"))
    found = [message.rpartition(") ")[2] for message in problems(s)]
    assert found == [
        "dest is too long by 1: the name of its file can have 255 bytes",
        "the path of the engine is too long by 45: the name of its file can have 255 bytes",
        "the path of the key is too long by 45: the name of its file can have 255 bytes",
    ]
    alone = stack("s")
    vault.AppRole(alone, "r", name="r" * 4097, token_policies=["default"])
    (message,) = problems(alone)
    assert message.endswith("the name of the role is too long by 1: it can have 4096 bytes")
