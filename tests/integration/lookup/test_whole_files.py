# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup vault_transit_vars against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked, undefined

from tests.integration.support.plays import VARS_PLUGIN, Project, asked, make_key, messages, vars_file
from tests.integration.support.runs import Ledger
from tests.support.chains import printed_with
from tests.support.lookups import Lookup, lookup_plugin
from tests.support.modules import run_module
from tests.support.server import Bao

SECRETS = {"openai": "sk-whole-canary-3Kd", "braces": "{{ 6 * 7 }}", "other": "x"}


@pytest.fixture
def file(bao: Bao, mount: str, tmp_path: Path) -> Path:
    make_key(bao, mount)
    path = tmp_path / "keys.transit.yml"
    path.write_text(vars_file(bao, mount, SECRETS), encoding="utf-8")
    return path


@pytest.fixture
def lookup(bao: Bao, tmp_path: Path) -> Lookup:
    loader = DataLoader()
    loader.set_basedir(str(tmp_path))
    plugin = lookup_plugin("vault_transit_vars", loader)

    def run(*terms: object, **options: object) -> list[Any]:
        result: list[Any] = plugin.run([str(term) for term in terms], {}, **{**bao.login, **options})
        return result

    return run


def test_a_file_is_decrypted_with_one_request(bao: Bao, file: Path, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup(file) == [SECRETS]
    assert asked(ledger) == {"decrypt": 1}
    # Beside the playbook.
    assert lookup(file.name) == [SECRETS]


def test_what_is_stored_is_data_and_needs_no_server(bao: Bao, file: Path, lookup: Lookup) -> None:
    hostile = "{{ lookup('pipe', 'false') }}"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["_transit"]["note"] = content["plain"] = hostile
    file.write_text(json.dumps(content), encoding="utf-8")
    ledger = Ledger(bao)
    (found,) = lookup(file, decrypt=False)
    assert found == content
    assert asked(ledger) == {}
    templar = Templar(loader=DataLoader(), variables={"found": found})
    assert templar.template(found["_transit"]["note"]) == templar.template(found["plain"]) == hostile
    assert (
        lookup("gone.transit.yml", decrypt=False, missing_ok=True)
        == lookup("gone.transit.yml", missing_ok=True)
        == [{}]
    )
    with pytest.raises(AnsibleError, match="names chooses what is decrypted"):
        lookup(file, decrypt=False, names=["other"])


def test_only_the_named_secrets_are_asked_for(bao: Bao, file: Path, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup(file, names=["other", "openai"]) == [{name: SECRETS[name] for name in ("other", "openai")}]
    (request,) = [entry for entry in ledger.entries if entry["path"].endswith("/decrypt/ml")]
    assert len(request["data"]["batch_input"]) == 2


def test_a_token_for_single_secrets_is_asked_for_those_of_the_file_alone(
    bao: Bao, mount: str, file: Path, lookup: Lookup, mint_token: Callable[[str], str]
) -> None:
    """Such a token is denied one request for all. The files beside, which nobody asked for, have no request then."""
    one = file.with_name("one.transit.yml")
    one.write_text(vars_file(bao, mount, {"openai": "sk-single-canary-8Qp"}), encoding="utf-8")
    token = mint_token(hcl(grant_rules("decrypt", mount, "ml", ["openai"])))
    ledger = Ledger(bao)
    assert lookup(one, token=token) == [{"openai": "sk-single-canary-8Qp"}]
    # With the files beside, all of this one, and its only secret.
    assert asked(ledger)["decrypt"] == 3


def test_nothing_is_returned_if_something_is_wrong(bao: Bao, file: Path, lookup: Lookup) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    with pytest.raises(AnsibleError, match=r"has no secret opnai\. Did you mean 'openai'"):
        lookup(file, names=["opnai"])
    with pytest.raises(AnsibleError, match=r"gone\.transit\.yml does not exist"):
        lookup("gone.transit.yml")
    file.write_text(json.dumps({**content, "other": content["openai"]}), encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"keys\.transit\.yml: other: it does not decrypt") as failure:
        lookup(file)
    assert SECRETS["openai"] not in str(failure.value)
    assert printed_with(failure.value) == []
    file.write_text(json.dumps({**content, "plain": "sk-in-the-clear"}), encoding="utf-8")
    with pytest.raises(AnsibleError, match="plain is not ciphertext") as failure:
        lookup(file)
    assert "sk-in-the-clear" not in str(failure.value)


SECRET_DATA: dict[str, Any] = {
    "providers": {"openai": {"api_key": "sk-nested-canary-8Lq", "n": 3}, "tags": ["{{ 6 * 7 }}", True]},
    "t": "x",
}
DECRYPTED = {**SECRET_DATA, "region": "eu"}


@pytest.fixture
def nested_file(bao: Bao, mount: str, tmp_path: Path) -> Path:
    make_key(bao, mount)
    path = tmp_path / "nested.transit.yml"
    arguments = {**bao.login, "path": str(path), "backend": mount, "key": "ml", "secrets": SECRET_DATA}
    assert not run_module("vault_transit_vars", arguments).failed
    text = path.read_text(encoding="utf-8").replace("  key: ml\n", "  key: ml\n  unencrypted: [region]\n")
    path.write_text(f"region: eu\n{text.replace('---', '')}", encoding="utf-8")
    return path


def test_nested_data_come_back_as_they_were(bao: Bao, nested_file: Path, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup(nested_file) == [DECRYPTED]
    assert asked(ledger) == {"decrypt": 1}
    assert lookup(nested_file, names=["providers.openai", "t"]) == [
        {"providers": {"openai": DECRYPTED["providers"]["openai"]}, "t": "x"}
    ]
    with pytest.raises(AnsibleError, match=r"has no secret providers\.opnai\. Did you mean"):
        lookup(nested_file, names=["providers.opnai"])


def filtered(bao: Bao, variables: dict[str, Any], expression: str) -> Any:
    """What a template makes of variables."""
    connection = {f"ansible_hashi_vault_{name}": value for name, value in bao.login.items()}
    templar = Templar(loader=DataLoader(), variables={**variables, **connection})
    return templar.template(marked(f"{{{{ {expression} }}}}", template=True))


def test_what_ansible_loaded_is_decrypted_with_one_request(bao: Bao, file: Path, nested_file: Path) -> None:
    sealed = json.loads(file.read_text(encoding="utf-8"))
    ledger = Ledger(bao)
    assert filtered(bao, {"sealed": sealed}, "sealed | mlkeys.transit.decrypt_vars") == SECRETS
    assert asked(ledger) == {"decrypt": 1}
    nested = yaml.safe_load(nested_file.read_text(encoding="utf-8"))
    assert filtered(bao, {"sealed": nested}, "sealed | mlkeys.transit.decrypt_vars") == DECRYPTED
    assert filtered(bao, {"sealed": nested}, "sealed | mlkeys.transit.decrypt_vars(names=['t'])") == {"t": "x"}
    part = "{'openai': openai, '_transit': _transit} | mlkeys.transit.decrypt_vars"
    assert filtered(bao, sealed, part) == {"openai": SECRETS["openai"]}


WAYS = """\
- hosts: all
  gather_facts: false
  vars:
    keys: "{{ sealed | mlkeys.transit.decrypt_vars }}"
  tasks:
    - ansible.builtin.include_vars: {file: included.transit.yml, name: sealed}
    - ansible.builtin.debug: {msg: "included {{ keys.data.api_key[-2:] }} {{ keys.data.n + 1 }}"}
    - ansible.builtin.debug: {msg: "included {{ looked_up.data.api_key[-2:] }} {{ keys.data.n + 1 }}"}
      vars: {looked_up: "{{ lookup('mlkeys.transit.vault_transit_vars', 'included.transit.yml', names=['data']) }}"}
    - ansible.builtin.debug: {msg: "included {{ group_data.api_key[-2:] }} {{ again.group_data.n }}"}
      vars: {again: "{{ lookup('mlkeys.transit.vault_transit_vars', 'group_vars/all/keys.transit.yml') }}"}
    - mlkeys.transit.load_vars: {file: included.transit.yml, name: loaded}
    - ansible.builtin.debug: {msg: "included {{ loaded.data.api_key[-2:] }} {{ keys.data.n + 1 }}"}
- hosts: all
  gather_facts: false
  vars_files: [files.transit.yml]
  vars:
    keys: "{{ {'files_data': files_data, '_transit': _transit} | mlkeys.transit.decrypt_vars }}"
  tasks:
    - ansible.builtin.debug: {msg: "files {{ keys.files_data.api_key[-2:] }} {{ keys.files_data.n + 1 }}"}
- hosts: all
  gather_facts: false
  roles: [keyed]
"""
OF_THE_ROLE = """\
- ansible.builtin.debug: {msg: "role {{ keys.role_data.api_key[-2:] }} {{ keys.role_data.n + 1 }}"}
  vars:
    keys: "{{ {'role_data': role_data, '_transit': _transit} | mlkeys.transit.decrypt_vars }}"
"""
OF_EXTRA_VARS = """\
- ansible.builtin.debug: {msg: "extra {{ keys.extra_data.api_key[-2:] }} {{ keys.extra_data.n + 1 }}"}
  vars:
    keys: "{{ {'extra_data': extra_data, '_transit': _transit} | mlkeys.transit.decrypt_vars }}"
- ansible.builtin.debug: {msg: "{{ {'files_data': files_data, '_transit': _transit} | mlkeys.transit.decrypt_vars }}"}
"""


def test_each_way_in_which_a_playbook_loads_a_file(bao: Bao, mount: str, tmp_path: Path) -> None:
    make_key(bao, mount)
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **VARS_PLUGIN})
    files = {
        "included.transit.yml": "data",
        "files.transit.yml": "files_data",
        "roles/keyed/vars/main/keys.transit.yml": "role_data",
        "extra.transit.yml": "extra_data",
        "group_vars/all/keys.transit.yml": "group_data",
    }
    for number, (path, name) in enumerate(files.items()):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        secrets = {name: {"api_key": f"sk-way-canary-{number}k", "n": number}}
        arguments = {**bao.login, "path": str(tmp_path / path), "backend": mount, "key": "ml", "secrets": secrets}
        assert not run_module("vault_transit_vars", arguments).failed
    project.hosts(2)
    project.write("play.yml", WAYS)
    project.write("roles/keyed/tasks/main.yml", OF_THE_ROLE)
    ledger = Ledger(bao)
    done = project.run()
    assert messages(done.stdout)[::2] == [
        *("included 0k 1", "included 0k 1", "included 4k 4", "included 0k 1"),
        *("files 1k 2", "role 2k 3"),
    ]
    decrypts = [entry for entry in ledger.entries if entry["path"].endswith("/decrypt/ml")]
    assert len(decrypts) == 1, "one for a key, whatever the number of files, hosts and uses"
    project.hosts(1)
    project.play(OF_EXTRA_VARS, "vars_files: [files.transit.yml]\n")
    # Extra variables win, and so their _transit.
    refused = project.run("-e", "@extra.transit.yml", status=2)
    assert messages(refused.stdout)[0] == "extra 3k 4"
    assert "the _transit has no fingerprint of files_data.api_key" in refused.stdout + refused.stderr
    assert "Read each with the lookup mlkeys.transit.vault_transit_vars" in refused.stdout + refused.stderr
    assert "canary" not in done.stdout + done.stderr + refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'x' | mlkeys.transit.decrypt_vars", "the input must be the dictionary"),
        ("{} | mlkeys.transit.decrypt_vars(names=['a'])", "decrypt_vars: the input has no secret a"),
        ("sealed | mlkeys.transit.decrypt_vars(names=['opnai'])", "Did you mean 'openai'"),
        ("{'a': sealed.openai} | mlkeys.transit.decrypt_vars", "the input has ciphertext and no _transit"),
        ("{'a': {'b': [sealed.openai]}} | mlkeys.transit.decrypt_vars", "Pass _transit of the same file with it"),
        ("sealed | mlkeys.transit.decrypt_vars(ulr='x')", "unknown options ulr"),
        ("{'a': 'sk-in-the-clear', '_transit': sealed._transit} | mlkeys.transit.decrypt_vars", "a is not ciphertext"),
        ("{'other': missing, '_transit': sealed._transit} | mlkeys.transit.decrypt_vars", "'missing' is undefined"),
        ("{'other': lost, '_transit': sealed._transit} | mlkeys.transit.decrypt_vars", "lost: the server is down"),
        ("{'other': sealed.openai, '_transit': sealed._transit} | mlkeys.transit.decrypt_vars", "does not decrypt"),
    ],
)
def test_what_cannot_be_decrypted(bao: Bao, file: Path, expression: str, message: str) -> None:
    sealed = json.loads(file.read_text(encoding="utf-8"))
    with pytest.raises(AnsibleError) as failure:
        filtered(bao, {"sealed": sealed, "lost": undefined("lost: the server is down")}, expression)
    assert message in str(failure.value)
    assert "in-the-clear" not in str(failure.value).replace(expression, "")
    assert SECRETS["openai"] not in str(failure.value)
