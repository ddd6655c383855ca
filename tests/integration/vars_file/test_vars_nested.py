# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars with nested data against a real server: each leaf is a secret of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible_collections.mlkeys.transit.plugins.modules import vault_transit_vars

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEPT, VarsFile, actions
from tests.support.modules import run_module
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

KEY = "derived"
DATA: dict[str, Any] = {
    "providers": {
        "openai": {
            "api_key": "sk-first-secret",
            "retries": 3,
            "timeout": 2.5,
            "beta": True,
            "open.ai": "sk-dot-secret",
        },
        "keys": ["sk-one-secret", {"name": "sk-two-secret"}],
        "limits": {},
    },
    "hf_token": "hf_third-secret",
}


def at(data: Any, *parts: str | int) -> Any:
    for part in parts:
        data = data[part]
    return data


def opened(file: VarsFile, path: str, *parts: str | int) -> str:
    return file.decrypt(path, at(file.variables(), *parts), KEY)


@pytest.fixture(params=["keys.transit.yml", "keys.transit.json"])
def nested_file(bao: Bao, mount: str, tmp_path: Path, request: pytest.FixtureRequest) -> VarsFile:
    file = VarsFile(bao, mount, tmp_path / request.param)
    file.make_key(KEY, derived=True)
    return file


def test_each_leaf_is_encrypted_for_its_path(nested_file: VarsFile) -> None:
    file = nested_file
    ledger = Ledger(file.bao)
    done = file.run(DATA, key=KEY)
    assert not done.failed, done
    assert sorted(file.requests(ledger)) == ["encrypt", "hmac"]
    assert set(actions(done)) == {
        *("hf_token", "providers.keys.0", "providers.keys.1.name", "providers.limits", "providers.openai.api_key"),
        *(
            "providers.openai.beta",
            "providers.openai.open%2Eai",
            "providers.openai.retries",
            "providers.openai.timeout",
        ),
    }
    assert file.variables()["_transit"]["format"] == 2
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-first-secret"
    assert opened(file, "providers.keys.1.name", "providers", "keys", 1, "name") == "sk-two-secret"
    assert opened(file, "providers.openai.open%2Eai", "providers", "openai", "open.ai") == "sk-dot-secret"
    assert opened(file, "providers.openai.beta", "providers", "openai", "beta") == "true"

    again = file.run(DATA, key=KEY)
    assert not again.changed, again
    text = file.path.read_text(encoding="utf-8")
    file.path.write_text(text.replace(" json", ""), encoding="utf-8")
    # The types are lost, and those of the given values are right.
    found = actions(file.converge(DATA, key=KEY))
    assert found["providers.openai.beta"] == ("refreshed", "fingerprint of another ciphertext")
    assert found["hf_token"] == KEPT
    assert file.path.read_text(encoding="utf-8") == text
    changed = {**DATA, "providers": {**DATA["providers"], "openai": {**DATA["providers"]["openai"], "retries": "3"}}}
    done = file.converge(changed, key=KEY)
    found = actions(done)
    assert found.pop("providers.openai.retries") == ("updated", "the value changed")
    assert set(found.values()) == {KEPT}


def test_what_the_file_leaves_unencrypted_is_written_as_it_is(nested_file: VarsFile) -> None:
    file = nested_file
    file.run(DATA, key=KEY)
    text = file.path.read_text(encoding="utf-8")
    names = ("providers.openai.beta", "providers.region")
    for before, after in (
        ("  format: 2\n", f"  format: 2\n  unencrypted: [{', '.join(names)}]\n"),
        ('"format": 2,', f'"format": 2, "unencrypted": ["{names[0]}", "{names[1]}"],'),
    ):
        text = text.replace(before, after)
    file.path.write_text(text, encoding="utf-8")
    wanted = {"providers": {"openai": {"beta": False}, "region": "no"}}
    found = actions(file.converge(wanted, key=KEY))
    assert {name: found[name] for name in names} == {
        "providers.openai.beta": ("updated", "unencrypted"),
        "providers.region": ("added", "unencrypted"),
    }
    assert at(file.variables(), "providers", "openai", "beta") is False
    assert at(file.variables(), "providers", "region") == "no"
    assert not set(names) & {
        *at(file.variables(), "_transit", "hmac"),
        *at(file.variables(), "_transit").get("before", {}),
    }
    # Without a value it stays, as a secret does.
    again = file.run({"providers": {"region": ""}}, key=KEY)
    assert (again.failed, again.changed) == (False, False), again


def test_what_is_not_given_stays_and_a_given_list_is_the_whole(nested_file: VarsFile) -> None:
    file = nested_file
    file.run(DATA, key=KEY)
    done = file.converge({"providers": {"openai": None, "keys": ["", "sk-three-secret"], "limits": "none"}}, key=KEY)
    found = {name: change for name, change in actions(done).items() if change[0] != "kept"}
    assert found == {
        "providers.keys.1": ("added", "new"),
        "providers.keys.1.name": ("removed", "replaced"),
        "providers.limits": ("updated", "the value changed"),
    }
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-first-secret"
    done = file.converge({"providers": {"keys": [""]}}, key=KEY)
    assert actions(done)["providers.keys.1"] == ("removed", "not in the list")
    done = file.converge({"providers.openai.api_key": "sk-path-secret"}, key=KEY)
    assert actions(done)["providers.openai.api_key"] == ("updated", "the value changed")
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-path-secret"
    done = file.converge({"providers": {"openai": {"api_key": ""}}}, key=KEY, purge=True, keep=["hf_token"])
    assert {name for name, change in actions(done).items() if change[0] == "kept"} == {
        *("hf_token", "providers.openai.api_key"),
    }
    assert file.variables().keys() == {"hf_token", "providers", "_transit"}


def test_null_and_empty_text_are_values_where_that_is_said(nested_file: VarsFile) -> None:
    file = nested_file
    secrets = {"openai": {"api_key": "sk-first-secret", "proxy": None, "note": ""}}
    said = file.refused(secrets, key=KEY, store_empty=["openai.proxy"])
    assert "the value of 'openai.note' is empty" in said
    assert said.endswith("If it is meant to be empty, name it in store_empty, or use 'mlkeys set --type json'.")
    assert "not among secrets: openai.x" in file.refused(secrets, key=KEY, store_empty=["openai", "openai.x"])
    done = file.converge(secrets, key=KEY, store_empty=["openai.proxy", "openai.note"])
    assert set(actions(done).values()) == {("added", "new")}
    (values,) = lookup_loader.get("mlkeys.transit.vault_transit_vars", loader=DataLoader()).run(
        [str(file.path)], {}, **file.bao.login
    )
    assert values == secrets
    # Without the option they keep what is stored, and with it they take its place.
    file.converge({"openai": {"proxy": "sk-proxy-secret", "note": None}}, key=KEY)
    assert opened(file, "openai.note", "openai", "note") == '""'
    done = file.converge(secrets, key=KEY, store_empty=["openai"])
    assert actions(done)["openai.proxy"] == ("updated", "the value changed")
    assert opened(file, "openai.proxy", "openai", "proxy") == "null"


def test_nested_secrets_do_not_change_the_format_of_a_file(bao: Bao, mount: str, tmp_path: Path) -> None:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(KEY, derived=True)
    file.run({"a": "sk-flat-secret"}, key=KEY)
    assert "mlkeys upgrade" in file.refused({"b": {"c": "sk-nested-secret"}}, key=KEY)
    assert "mlkeys upgrade" in file.refused({"a": None}, key=KEY, store_empty=["a"])
    text = file.text().replace("format: 1", "format: 2")
    file.path.write_text(text, encoding="utf-8")
    file.converge({"b": {"c": "sk-nested-secret"}, "n": 5}, key=KEY)
    assert opened(file, "a", "a") == "sk-flat-secret"
    assert yaml.safe_load(file.text())["_transit"]["format"] == 2


def test_the_documented_policy_suffices_for_the_life_of_nested_data(
    bao: Bao, mount: str, tmp_path: Path, mint_token: Callable[[str], str]
) -> None:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(KEY, derived=True)
    notes = " ".join(yaml.safe_load(vault_transit_vars.DOCUMENTATION)["notes"])
    paths = re.findall(r"C\(transit/(\w+)/KEY\)", notes)
    token = mint_token("".join(f'path "{mount}/{path}/{KEY}" {{ capabilities = ["update"] }}\n' for path in paths))
    ledger = Ledger(bao)
    file.run(DATA, key=KEY, token=token)
    file.rotate(KEY)
    moved = file.run({"providers": {"openai": {"retries": 4}}}, key=KEY, token=token)
    found = actions(moved)
    assert found.pop("providers.openai.retries") == ("updated", "the value changed")
    assert set(found.values()) == {("rewrapped", "behind version 2")}
    file.run({"hf_token": ""}, key=KEY, token=token, purge=True)
    # The rotation is the test's.
    assert set(file.requests(ledger)) == {"encrypt", "hmac", "verify", "rewrap", "keys"}
    assert file.plaintexts(KEY) == {"hf_token": DATA["hf_token"]}


def test_a_policy_for_one_leaf_lets_only_that_one_be_decrypted(
    bao: Bao, mount: str, tmp_path: Path, mint_token: Callable[[str], str]
) -> None:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(KEY, derived=True)
    file.run(DATA, key=KEY)
    name = f"leaf-{mount}"
    grants = [{"key": KEY, "backend": mount, "allow": ["decrypt"], "secrets": ["providers.openai.open%2Eai"]}]
    written = run_module("vault_transit_policy", {**bao.login, "name": name, "grants": grants})
    assert not written.failed, written.msg
    rules = bao.done("GET", f"sys/policies/acl/{name}")["data"]["policy"]
    bao.done("DELETE", f"sys/policies/acl/{name}")
    plugin = lookup_loader.get("mlkeys.transit.vault_transit_vars", loader=DataLoader())
    login = {**bao.login, "token": mint_token(rules)}
    (opened_leaf,) = plugin.run([str(file.path)], {}, names=["providers.openai.open%2Eai"], **login)
    assert opened_leaf == {"providers": {"openai": {"open.ai": "sk-dot-secret"}}}
    refused = r"providers\.openai\.api_key: the token's policies do not allow it for this name"
    with pytest.raises(AnsibleError, match=refused):
        plugin.run([str(file.path)], {}, names=["providers.openai"], **login)
