# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One task makes many elements, in an order that respects what each needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkeys import AnsibleTask, Construct, EncryptedVars, Secret, Stack
from mlkeys import transit as vault
from tests.cdk.apps import app_of, files, key_in, plays, stack, tasks
from tests.cdk.command import changes, mlkeys
from tests.support.server import Bao

KEYS, VARS = "mlkeys.transit.vault_transit_keys", "mlkeys.transit.vault_transit_vars"


def names(part: Stack) -> list[str]:
    return [task["name"] for task in tasks(part) if task["name"] != "Folders of ciphertexts"]


def test_keys_files_and_policies_take_one_task_each() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    for number in range(3):
        key = vault.TransitSecretBackendKey(s, f"k{number}", backend=engine.path, name=f"k{number}")
        key.encrypt(Secret.env(f"KEY_{number}"))
        key.grant_decrypt(vault.Policy(s, f"p{number}"))
    assert names(s) == ["Engine engine", "3 keys", "3 files of ciphertexts", "3 policies"]
    _, _, keys, files, policies = tasks(s)
    assert "must_exist" not in keys[KEYS]
    assert [key["name"] for key in keys[KEYS]["keys"]] == ["k0", "k1", "k2"]
    assert [(item["key"], item["key_place"]) for item in files["loop"]] == [("k0", 0), ("k1", 1), ("k2", 2)]
    assert policies["loop"] == ["p0", "p1", "p2"]
    # Items are shown at -v. The secrets are in variables, by the name that the item has.
    for item in files["loop"]:
        assert set(item) == {"file", "key", "key_place", "secrets"}
        assert f"secrets_of_{item['secrets']}" in plays(s)[0]["vars"]


@pytest.mark.parametrize("number_of_keys", [3, 60])
def test_random_secrets_of_many_keys_take_two_tasks(number_of_keys: int) -> None:
    s = stack()
    for number in range(number_of_keys):
        key_in(s, f"k{number}").encrypt(Secret.generated(), name=f"made_{number}")
    assert names(s) == [
        f"{number_of_keys} keys", "Random secrets, if missing", f"{number_of_keys} files of ciphertexts",
    ]  # fmt: skip
    made_keys, random, written = tasks(s)[-3:]
    # A key under which random secrets are stored is not made again.
    assert [one["key"] for one in made_keys["vars"]["random_secrets_sets"]] == [
        f"transit/k{number}" for number in range(number_of_keys)
    ]
    sets = random["vars"]["random_secrets_sets"]
    assert [(one["key"], one["names"]) for one in sets] == [
        (f"transit/k{number}", [f"made_{number}"]) for number in range(number_of_keys)
    ]
    assert [item["keep"] for item in written["loop"]] == [one["names"] for one in sets]
    made = files(s)
    assert {one["tasks"] for one in sets} == {path.removeprefix("ansible/s/") for path in made if "/random/" in path}
    (first, *_) = sets
    inside = [task["name"] for task in plays(s, first["tasks"])]
    assert inside == [
        "Random secrets of k0/ciphertexts must not be made twice",
        "Random secret k0/ciphertexts/made_0, if missing",
        "Record random secrets of k0/ciphertexts",
    ]


def test_a_key_is_not_made_again_for_random_secrets_of_another_stack() -> None:
    s = stack()
    key, more = key_in(s), Stack(app_of(s), "more")
    EncryptedVars(more, "v", key=key, secrets={"made": Secret.generated(), "given": Secret.env("A")})
    (task,) = tasks(s)
    (one,) = task["vars"]["random_secrets_sets"]
    assert (one["key"], one["names"]) == ("transit/key", ["made"])
    assert one["file"].endswith("/mlkeys.state/more/transit/key.transit.yml")


@pytest.mark.parametrize("number_of_secrets", [2, 60])
def test_random_secrets_of_one_key_take_two_tasks(number_of_secrets: int) -> None:
    s = stack()
    key = key_in(s)
    EncryptedVars(
        s, "v", key=key, secrets={f"made_{number}": Secret.generated() for number in range(number_of_secrets)}
    )
    assert names(s) == ["Key key", "Random secrets, if missing", "Ciphertexts v"]


def test_roles_take_one_task_and_so_does_each_kind_of_a_destruction() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    for number in range(2):
        key = vault.TransitSecretBackendKey(s, f"k{number}", backend=engine.path, name=f"k{number}", derived=True)
        key.encrypt(Secret.env(f"KEY_{number}"))
        uses = 5 if number else None
        key.grant_decrypt(vault.AppRole(s, f"r{number}", token_ttl="1h", token_num_uses=uses))
    role = tasks(s)[-1]
    assert role["name"] == "2 AppRoles"
    assert role["loop"] == [
        {"name": "r0", "token_policies": ["r0"]},
        {"name": "r1", "token_num_uses": 5, "token_policies": ["r1"]},
    ]
    options = role["mlkeys.transit.vault_transit_approle"]
    assert (options["token_ttl"], options["name"]) == ("1h", "{{ item.name | default(omit) }}")
    (play,) = plays(s, "destroy.yml")
    assert [task["name"] for task in play["tasks"][:-2]] == [
        "2 AppRoles", "2 policies", "2 files of ciphertexts", "2 keys", "Engine engine",
    ]  # fmt: skip
    assert [key["name"] for key in play["tasks"][3]["vars"]["listed"]] == ["k1", "k0"]


def test_what_needs_another_of_its_kind_comes_later() -> None:
    s = stack()
    first, second = key_in(s, "first"), key_in(s, "second")
    here = EncryptedVars(s, "here", key=first, secrets={"a": Secret.env("A")})
    EncryptedVars(s, "copied", key=second, secrets={"b": first.decrypt(here["a"])})
    EncryptedVars(s, "free", key=second, secrets={"c": Secret.env("C")})
    assert names(s) == [
        "2 keys", "Ciphertexts here", "Read mlkeys.state/s/transit/first.transit.yml", "Find the ciphertexts that stay",
        "2 files of ciphertexts",
    ]  # fmt: skip


def test_nothing_that_comes_after_a_task_of_the_program_is_made_before_it() -> None:
    s = stack()
    key_in(s, "first")
    AnsibleTask(s, "between", task={"ansible.builtin.debug": {"msg": "a"}})
    key_in(s, "second")
    key_in(s, "third")
    assert names(s) == ["Key first", "Task between", "2 keys"]


def test_a_dependency_of_scopes_is_kept() -> None:
    s = stack()
    late, early = Construct(s, "late"), Construct(s, "early")
    vault.TransitSecretBackend(late, "engine", path="late")
    for number in range(2):
        vault.Policy(early, f"p{number}").allow("a", "read")
    late.node.add_dependency(early)
    assert names(s) == ["2 policies", "Engine late/engine"]


def test_an_option_of_the_whole_task_separates_a_key() -> None:
    s = stack()
    for name in ("one", "two"):
        key_in(s, name)
    key_in(s, "other").add_override("namespace", "team", target="ansible")
    plain, other = tasks(s)
    assert len(plain[KEYS]["keys"]) == 2
    assert (other[KEYS]["namespace"], [key["name"] for key in other[KEYS]["keys"]]) == ("team", ["other"])


PROGRAM = """
from mlkeys import App, Secret, Stack, export
from mlkeys import transit as vault

app = App()
with Stack(app, "s"):
    engine = vault.TransitSecretBackend.from_existing("engine", path="{mount}")
    for number in range(3):
        key = vault.TransitSecretBackendKey(f"k{{number}}", backend=engine.path, name=f"k{{number}}", derived=True)
        made = key.encrypt(Secret.env(f"KEY_{{number}}"))
        export(f"version_{{number}}", key.latest_version)
        export(f"made_{{number}}", made)
"""


def test_many_keys_are_deployed_and_one_that_is_wrong_is_named(bao: Bao, mount: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM.format(mount=mount))
    plaintexts = {f"KEY_{number}": f"FAKE {{{{ {number} }}}} '\"\\" for number in range(3)}
    env = {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **plaintexts}
    # The engine is there, the keys are not: nothing else can be predicted.
    assert changes(mlkeys("diff", cwd=tmp_path, env=env).stdout) > 0
    assert changes(mlkeys("deploy", cwd=tmp_path, env=env).stdout) > 0
    assert changes(mlkeys("deploy", cwd=tmp_path, env=env).stdout) == 0
    shown = json.loads(mlkeys("output", "--json", cwd=tmp_path, env=env).stdout)
    # Before ansible-core 2.19, what a template yields is a text.
    assert [int(shown[f"version_{number}"]) for number in range(3)] == [1, 1, 1]
    bao.done("POST", f"{mount}/keys/k1/config", {"exportable": True})
    bao.done("POST", f"{mount}/keys/k2/rotate", {})
    different = mlkeys("diff", "--fail", cwd=tmp_path, env=env, status=2)
    assert f"1 of 3 keys failed: {mount}/keys/k1: exportable is on and cannot be turned off again" in different.stderr
    assert "deploy cannot change: s." in different.stderr
