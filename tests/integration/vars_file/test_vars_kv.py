# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts in a KV engine of the server: the same rules as for a file, and who reads them from there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file import changes, reconcile
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents

from tests.integration.support.plays import VARS_PLUGIN, Project, approle, asked
from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEY, VarsFile, actions
from tests.support.modules import ModuleResult
from tests.support.server import Bao

SECRETS = {"openai_api_key": "sk-first-secret", "anthropic_api_key": "sk-ant-second-secret"}


@dataclass(frozen=True)
class KvDocument(VarsFile):
    """The document `ml/keys` of a KV engine, and a file that may point to it."""

    kv: str = ""
    point: bool = False

    def run(
        self, secrets: Mapping[str, object] | str | None = None, *, check: bool = False, **params: Any
    ) -> ModuleResult:
        place = {"store": "kv", "kv_mount": self.kv, "kv_path": "ml/keys"}
        return super().run(secrets, check=check, **{**place, "path": str(self.path) if self.point else None, **params})

    def state(self) -> Any:
        status, body = self.bao.request("GET", f"{self.kv}/data/ml/keys")
        stored = json.dumps(body["data"], sort_keys=True) if status == 200 else None
        return stored, super().state()

    def variables(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bao.done("GET", f"{self.kv}/data/ml/keys")["data"]["data"]
        return found


@pytest.fixture
def kv(bao: Bao) -> Iterator[str]:
    """The path of a fresh KV engine."""
    path = f"kv-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": "2"}})
    yield path
    bao.done("DELETE", f"sys/mounts/{path}")


@pytest.fixture
def document(bao: Bao, mount: str, kv: str, tmp_path: Path, both_ways: None) -> KvDocument:
    made = KvDocument(bao, mount, tmp_path / "keys.transit.yml", kv)
    made.make_key(derived=True)
    return made


def test_it_is_made_kept_changed_and_emptied(document: KvDocument) -> None:
    assert actions(document.converge(SECRETS)) == dict.fromkeys(SECRETS, ("added", "new"))
    assert document.plaintexts() == SECRETS
    first = document.ciphertexts()
    changed = document.converge({**SECRETS, "openai_api_key": "sk-third-secret"})
    assert actions(changed)["openai_api_key"] == ("updated", "the value changed")
    assert document.ciphertexts()["anthropic_api_key"] == first["anthropic_api_key"]
    document.rotate()
    assert {action for action, _reason in actions(document.converge()).values()} == {"rewrapped"}
    assert set(document.versions().values()) == {2}
    document.converge({"openai_api_key": "sk-third-secret"}, purge=True)
    assert document.plaintexts() == {"openai_api_key": "sk-third-secret"}
    assert not document.path.exists()


def test_it_says_what_a_file_would(document: KvDocument) -> None:
    document.converge(SECRETS)
    metadata = document.variables()["_transit"]
    assert {**metadata, "hmac": None} == {"format": 1, "backend": document.mount, "key": KEY, "hmac": None}
    assert set(metadata["hmac"]) == set(SECRETS)


def test_an_unchanged_run_is_a_read_and_a_comparison(document: KvDocument) -> None:
    document.converge(SECRETS)
    ledger = Ledger(document.bao)
    document.run(SECRETS)
    work = [path for _operation, path in ledger.requests if not path.startswith("auth/")]
    assert work == [f"{document.kv}/data/ml/keys", f"{document.mount}/hmac/{KEY}"]


def test_nested_data_are_kept_as_such(document: KvDocument) -> None:
    document.converge({"providers": {"keys": ["sk-first-secret", 3]}})
    before = document.variables()
    assert before["_transit"]["format"] == 2
    document.converge({"providers": {"keys": ["sk-first-secret"]}})
    after = document.variables()
    assert after["providers"]["keys"] == before["providers"]["keys"][:1]
    assert document.decrypt("providers.keys.0", after["providers"]["keys"][0]) == "sk-first-secret"


def test_what_somebody_else_writes_meanwhile_stays(document: KvDocument) -> None:
    document.converge(SECRETS)
    theirs = {"data": {**document.variables(), "hf_token": document.ciphertexts()["openai_api_key"]}}

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        document.bao.done("POST", f"{document.kv}/data/ml/keys", theirs)
        return real(*arguments, **options)

    real = changes.edit
    with mock.patch.object(reconcile, "edit", meanwhile):
        failed = document.run({"openai_api_key": "sk-another-secret"})
    assert failed.msg == (
        f"Somebody else wrote '{document.kv}/ml/keys' while this run was working. Their version was kept. Run again."
    )
    assert document.variables() == theirs["data"]
    document.converge({"openai_api_key": "sk-another-secret"})
    assert document.ciphertexts()["hf_token"] == theirs["data"]["hf_token"]
    assert document.decrypt("openai_api_key", document.ciphertexts()["openai_api_key"]) == "sk-another-secret"


def test_a_document_that_was_deleted_starts_over(document: KvDocument) -> None:
    document.converge(SECRETS)
    document.bao.done("DELETE", f"{document.kv}/data/ml/keys")
    assert actions(document.converge(SECRETS)) == dict.fromkeys(SECRETS, ("added", "new"))


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"openai_api_key": "sk-plain"}, "the value of openai_api_key is not ciphertext"),
        ({"_transit": {"format": 3}}, "has an unknown format. This version knows only formats 1 and 2."),
        ({"_transit": {"backend": "other", "key": KEY}}, "was written with backend 'other'"),
    ],
)
def test_a_document_that_is_none_of_ours_is_refused(document: KvDocument, stored: Any, said: str) -> None:
    document.bao.done("POST", f"{document.kv}/data/ml/keys", {"data": stored})
    message = document.refused(SECRETS)
    assert said in message
    assert f"{document.kv}/ml/keys" in message
    assert "sk-plain" not in message


def test_an_engine_without_versions_is_refused(document: KvDocument) -> None:
    bao, path = document.bao, f"{document.kv}-old"
    bao.done("POST", f"sys/mounts/{path}", {"type": "kv"})
    try:
        bao.done("POST", f"{path}/data/ml/keys", {"x": "y"})
        assert "does not look like a KV engine of version 2" in document.refused(SECRETS, kv_mount=path)
        assert "No secrets engine is mounted" in document.refused(SECRETS, kv_mount=f"{path}-none")
    finally:
        bao.done("DELETE", f"sys/mounts/{path}")


def test_the_documented_rights_are_enough(document: KvDocument, mint_token: Callable[[str], str]) -> None:
    crypto = "".join(
        f'path "{document.mount}/{use}/{KEY}" {{ capabilities = ["update"] }}\n'
        for use in ("encrypt", "hmac", "verify", "rewrap")
    )
    rights = f'path "{document.kv}/data/ml/keys" {{ capabilities = ["read", "create", "update"] }}\n'
    token = mint_token(crypto + rights)
    document.converge(SECRETS, token=token)
    document.rotate()
    document.converge(token=token)
    assert "Permission denied" in document.refused(SECRETS, token=mint_token(crypto))


# A file that points there


@pytest.fixture
def pointed(document: KvDocument) -> KvDocument:
    return KvDocument(document.bao, document.mount, document.path, document.kv, point=True)


def pointer(document: KvDocument) -> dict[str, Any]:
    return {
        "_transit": {
            "format": 1,
            "store": "kv",
            "kv_mount": document.kv,
            "kv_path": "ml/keys",
            "backend": document.mount,
            "key": KEY,
        }
    }


def test_the_file_only_points_there(pointed: KvDocument) -> None:
    pointed.converge(SECRETS)
    assert yaml.safe_load(pointed.text()) == pointer(pointed)
    pointed.path.unlink()
    again = pointed.converge(SECRETS)
    assert {action for action, _reason in actions(again).values()} == {"kept"}
    text = f"---\n# Kept in the server.\n{json.dumps(pointer(pointed))}\n"
    pointed.path.write_text(text, encoding="utf-8")
    pointed.path.chmod(0o600)
    assert not pointed.run(SECRETS).changed
    assert pointed.text() == text


def test_a_file_with_entries_of_its_own_is_not_overwritten(pointed: KvDocument, mount: str) -> None:
    file = VarsFile(pointed.bao, mount, pointed.path)
    file.converge(SECRETS)
    assert "holds openai_api_key, anthropic_api_key, but should point to" in pointed.refused(SECRETS).replace(
        "anthropic_api_key, openai_api_key", "openai_api_key, anthropic_api_key"
    )


def test_a_file_that_points_elsewhere_is_refused(pointed: KvDocument, mount: str) -> None:
    pointed.converge(SECRETS)
    assert f"points to '{pointed.kv}/ml/keys', but should point to" in pointed.refused(SECRETS, kv_path="ml/other")


def test_a_file_that_points_there_is_followed(pointed: KvDocument, mount: str) -> None:
    pointed.converge(SECRETS)
    text = pointed.text()
    pointed.rotate()
    file = VarsFile(pointed.bao, mount, pointed.path)
    assert {action for action, _reason in actions(file.run()).values()} == {"rewrapped"}
    assert pointed.plaintexts() == SECRETS
    assert set(pointed.versions().values()) == {2}
    assert pointed.text() == text


# Who reads it


def test_a_document_that_is_not_there_is_no_empty_one(pointed: KvDocument, tmp_path: Path) -> None:
    """A search of the project says so: somebody may undelete it, or the file points to another place."""
    pointed.converge(SECRETS)
    project = Project(tmp_path, {"BAO_ADDR": pointed.bao.addr, "BAO_TOKEN": pointed.bao.token})
    project.hosts(1)
    name, lookup = pointed.path.name, f"lookup('mlkeys.transit.vars_files', key='{KEY}', backend='{pointed.mount}')"
    places = ("ml/keys", "ml/typo")
    for path in places:
        (tmp_path / f"{path[3:]}-{name}").write_text(
            json.dumps({"_transit": {**pointer(pointed)["_transit"], "kv_path": path}})
        )
    pointed.path.unlink()
    project.play(f'- ansible.builtin.debug: {{msg: "{{{{ {lookup}.unread | to_json }}}}"}}')
    assert f"{pointed.kv}/ml/typo does not exist" in project.run().stdout
    pointed.bao.done("DELETE", f"{pointed.kv}/data/ml/keys")
    shown = project.run().stdout
    assert f"version 1 of its document {pointed.kv}/ml/keys is deleted" in shown
    assert shown.count("does not exist") == 1


def test_a_file_elsewhere_in_the_repository_is_named_unless_something_searches_it(
    pointed: KvDocument, tmp_path: Path
) -> None:
    project = Project(tmp_path, {"BAO_ADDR": pointed.bao.addr, "BAO_TOKEN": pointed.bao.token})
    project.hosts(1)
    (tmp_path / ".git").mkdir()
    head = {"_transit": {"format": 1, "backend": pointed.mount, "key": KEY}}
    for name in ("secrets/prod", "group_vars/all/keys", "declared/x", "declared/vars/y"):
        project.write(f"{name}.transit.yml", json.dumps(head))
    project.write("secrets/other.transit.yml", json.dumps({"_transit": {**head["_transit"], "key": "other"}}))
    lookup = f"lookup('mlkeys.transit.vars_files', key='{KEY}', backend='{pointed.mount}', repository=true)"
    ciphertext = "vault:v1:" + "QUFB" * 12
    for name in ("other/vars.yml", "others/vars.yml"):
        project.write(name, f"api_key: {ciphertext}")
    lookup = lookup.replace("repository=true", "repository=true, besides=['others/vars.yml']")
    found = f"({lookup}.unread | map(attribute='path') + {lookup}.elsewhere) | join(' ')"
    sources = "  vars: {vault_transit_sources: ['{{ playbook_dir }}/declared']}\n"
    project.play(f'- ansible.builtin.debug: {{msg: "{{{{ {found} }}}}"}}', sources)
    shown = project.run().stdout
    assert f'"{tmp_path}/secrets/prod.transit.yml {tmp_path}/other/vars.yml"' in shown


def test_the_lookup_reads_names_from_there(document: KvDocument, tmp_path: Path) -> None:
    document.converge(SECRETS)
    project = Project(tmp_path, {"BAO_ADDR": document.bao.addr, "BAO_TOKEN": document.bao.token})
    project.hosts(1)
    place = f"kv_path='ml/keys', kv_mount='{document.kv}', backend='{document.mount}'"
    options = f"{place}, key='{KEY}'"
    project.play(
        f"""
        - ansible.builtin.assert:
            that:
              - lookup('mlkeys.transit.vault_transit', 'openai_api_key', {options}) == '{SECRETS["openai_api_key"]}'
              - query('mlkeys.transit.vault_transit', ['anthropic_api_key', 'openai_api_key'], {options}) | length == 2
            quiet: true
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'openai_api_ky', {options}) }}}}"
          ignore_errors: true
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'x', operation='encrypt', {options}) }}}}"
          ignore_errors: true
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'vault:v1:AAAA') }}}}"
          ignore_errors: true
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'openai_api_key', key='other', {place}) }}}}"
          ignore_errors: true
        """
    )
    ledger = Ledger(document.bao)
    done = project.run()
    shown = done.stdout + done.stderr
    assert f"There is no openai_api_ky in '{document.kv}/ml/keys'. Did you mean 'openai_api_key'?" in shown
    assert "kv_path can only be used with the operations decrypt, kv_get and read." in shown
    assert "key is missing" in shown
    assert f"names key '{KEY}', but what points to it names 'other'" in shown
    assert SECRETS["openai_api_key"] not in shown.replace("'" + SECRETS["openai_api_key"] + "'", "")
    assert sum(path.endswith(f"decrypt/{KEY}") for _operation, path in ledger.requests) == 2


def test_the_lookup_reads_ciphertexts_without_the_right_to_decrypt(
    document: KvDocument, tmp_path: Path, mint_token: Callable[[str], str]
) -> None:
    document.converge(SECRETS)
    token = mint_token(f'path "{document.kv}/data/ml/keys" {{ capabilities = ["read"] }}\n')
    project = Project(tmp_path, {"BAO_ADDR": document.bao.addr, "BAO_TOKEN": token})
    project.hosts(1)
    options = f"operation='read', kv_path='ml/keys', kv_mount='{document.kv}'"
    project.play(
        f"""
        - ansible.builtin.assert:
            that:
              - document | length == 3
              - document._transit.key == '{KEY}'
              - names == ['anthropic_api_key', 'openai_api_key'] | map('extract', document)
              - names | select('match', 'vault:v1:') | length == 2
            quiet: true
          vars:
            document: "{{{{ query('mlkeys.transit.vault_transit', {options})[0] }}}}"
            names: "{{{{ query('mlkeys.transit.vault_transit', ['anthropic_api_key', 'openai_api_key'], {options}) }}}}"
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'openai_api_ky', {options}) }}}}"
          ignore_errors: true
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', 'x', operation='read') }}}}"
          ignore_errors: true
        """
    )
    done = project.run()
    shown = done.stdout + done.stderr
    assert f"There is no openai_api_ky in '{document.kv}/ml/keys'. Did you mean 'openai_api_key'?" in shown
    assert "operation read needs kv_path" in shown


# How the document was written makes no difference to the vars plugin.
WRITTEN_ONE_WAY = pytest.mark.parametrize("both_ways", ["target"], indirect=True)


@WRITTEN_ONE_WAY
@pytest.mark.parametrize(
    ("claim", "plain", "said"),
    [
        ({"key": "other"}, {}, "other"),
        ({"backend": "transit/keys/other/rotate?"}, {}, "transit/keys/other/rotate."),
        ({}, {"ansible_connection": "local"}, "sets ansible_connection without encryption"),
        ({}, {"vault_transit_host_url": "http://evil"}, "sets vault_transit_host_url without encryption"),
        # It cannot allow itself to.
        (
            {"format": 2, "unencrypted": ["ansible_connection"]},
            {"ansible_connection": "local"},
            "sets ansible_connection without encryption",
        ),
    ],
)
def test_a_document_does_not_choose_where_the_token_goes(
    pointed: KvDocument, tmp_path: Path, claim: dict[str, Any], plain: dict[str, str], said: str
) -> None:
    """The vars plugin asks nothing of an engine or a key that the pointing file does not name."""
    pointed.converge(SECRETS)
    bao, stored = pointed.bao, pointed.variables()
    bao.done("POST", f"{pointed.mount}/keys/other", {})
    stored["_transit"].update(claim)
    stored.update(plain)
    bao.done("POST", f"{pointed.kv}/data/ml/keys", {"data": stored})
    allowed = {"MLKEYS_TRANSIT_VARS_UNENCRYPTED": "allow"}
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **VARS_PLUGIN, **allowed})
    project.hosts(1)
    project.write("group_vars/gateways/keys.transit.yml", json.dumps(pointer(pointed)))
    project.play("[{ansible.builtin.debug: {var: openai_api_key}}]")
    ledger = Ledger(bao)
    # The error is a host's, or one of the whole run, in different versions of ansible-core.
    with pytest.raises(AssertionError, match=said):
        project.run()
    assert [path for _operation, path in ledger.requests if path.startswith((pointed.mount, "transit"))] == []


@WRITTEN_ONE_WAY
def test_the_vars_plugin_follows_the_pointer(bao: Bao, pointed: KvDocument, tmp_path: Path) -> None:
    pointed.converge(SECRETS)
    rights = f'path "{pointed.kv}/data/ml/keys" {{ capabilities = ["read"] }}\n'
    with approle(bao, rights + f'path "{pointed.mount}/decrypt/{KEY}" {{ capabilities = ["update"] }}\n') as role:
        project = Project(tmp_path, {"BAO_ADDR": bao.addr, **role.environment, **VARS_PLUGIN})
        project.hosts(10)
        project.write("group_vars/gateways/keys.transit.yml", json.dumps(pointer(pointed)))
        project.play(
            f"""
            - ansible.builtin.assert:
                that:
                  - openai_api_key == '{SECRETS["openai_api_key"]}'
                  - anthropic_api_key == '{SECRETS["anthropic_api_key"]}'
                quiet: true
            """
        )
        ledger = Ledger(bao)
        project.run()
        assert asked(ledger) == {
            "login": 1,
            f"read {pointed.kv}/data/ml/keys": 1,
            "decrypt": 1,
            "revoke-self": 1,
        }


def test_a_document_that_is_too_large_is_refused_with_the_limits(bao: Bao, kv: str) -> None:
    documents = Documents(Client(Connection(url=bao.addr), warn=print, token=bao.token), kv)
    # A new engine refuses everything until it has set itself up.
    bao.done("POST", f"{kv}/data/another", {"data": {}})
    with pytest.raises(ServerError) as refused:
        documents.replace("ml/keys", documents.read("ml/keys"), {"large": "a" * (32 << 20)})
    assert refused.value.message == (
        f"The server refused '{kv}/ml/keys' because of its size: a document has 1 MiB at most with the storage raft "
        "(max_entry_size), and less than 32 MiB with another (max_request_size of the listener). Put less into one "
        f"document. Asked: {bao.addr}, the root namespace."
    )
    assert documents.read("ml/keys").version == 0
