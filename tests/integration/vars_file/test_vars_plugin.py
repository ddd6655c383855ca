# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vars plugin: which files it reads, which requests it makes, and how it handles failures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible import context
from ansible import template as ansible_template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import vars_loader
from ansible.plugins.vars import BaseVarsPlugin
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.support.plays import (
    VARS_PLUGIN,
    AppRole,
    Project,
    approle,
    asked,
    encrypted,
    live_tokens,
    make_key,
    may_use,
    messages,
    vars_file,
)
from tests.integration.support.runs import Ledger
from tests.support.chains import printed_with
from tests.support.collection import collections_path
from tests.support.playbook import run_playbook
from tests.support.server import Bao

SECRET = "sk-vars-canary-7Qx"

# Returns the variables of one host or group, as Ansible requests them.
GetVars = Callable[..., dict[str, Any]]


@pytest.fixture
def get_vars(bao: Bao, mount: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GetVars:
    """The plugin in this process, at the start of a run in the folder `tmp_path`."""
    make_key(bao, mount)
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    plugin = begin_run(monkeypatch)

    def get(*entities: Host | Group) -> dict[str, Any]:
        found: dict[str, Any] = plugin.get_vars(DataLoader(), str(tmp_path), list(entities))
        return found

    return get


def begin_run(monkeypatch: pytest.MonkeyPatch) -> BaseVarsPlugin:
    """The plugin in this process, with nothing known of earlier runs."""
    sessions = session.Sessions()
    monkeypatch.setattr(session, "_of_this_run", [sessions])
    monkeypatch.setattr(sessions, "share", lambda: None)
    # Ansible keeps the instance, with its settings, for a whole run.
    monkeypatch.setattr(vars_loader, "_plugin_instance_cache", {}, raising=False)
    plugin: BaseVarsPlugin = vars_loader.get("mlkeys.transit.vault_transit")
    code = __import__(type(plugin).__module__, fromlist=["_files"])
    monkeypatch.setattr(code, "_files", {})
    monkeypatch.setattr(code, "_reasons", set())
    monkeypatch.setattr(context, "CLIARGS", {"forks": 5})
    return plugin


@pytest.fixture
def put(bao: Bao, mount: str, tmp_path: Path) -> Callable[..., Path]:
    """Write an encrypted vars file."""

    def write(name: str, key: str = "ml", **values: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(vars_file(bao, mount, values, key), encoding="utf-8")
        return path

    return write


# --- its own settings ---

WORDS = {"cache": "flase", "on_error": "wran", "stage": "", "template": "2", "unencrypted": "deny"}
CHOICES = "one of ciphertext, error, undefined, warn"


def test_a_word_that_a_setting_cannot_have_ends_the_run(
    get_vars: GetVars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ansible reads such a flag as false, and shows its own frames for a wrong choice."""
    for name, word in WORDS.items():
        monkeypatch.setenv(f"MLKEYS_TRANSIT_VARS_{name.upper()}", word)
    configuration = tmp_path / "other.cfg"
    configuration.write_text("[vars_mlkeys_transit]\ndisabled = ture ; off\ncache = no\ndecrypt = always\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(configuration))
    with pytest.raises(AnsibleParserError) as refused:
        get_vars(Host("any"))
    said = str(refused.value)
    assert set(re.split(r"(?<=[.?]) (?=[a-z_]+ \()", said)) == {
        "cache (MLKEYS_TRANSIT_VARS_CACHE) is 'flase', but must be true or false.",
        f"on_error (MLKEYS_TRANSIT_VARS_ON_ERROR) is 'wran', but must be {CHOICES}. Did you mean 'warn'?",
        "stage (MLKEYS_TRANSIT_VARS_STAGE) must be one of all, task, inventory.",
        "template (MLKEYS_TRANSIT_VARS_TEMPLATE) is '2', but must be true or false.",
        "unencrypted (MLKEYS_TRANSIT_VARS_UNENCRYPTED) is 'deny', but must be one of allow, error, warn.",
        "disabled (ansible.cfg) is 'ture', but must be true or false.",
    }


# --- which files ---


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("group_vars/gateways/keys.transit.yml", Group("gateways")),
        ("group_vars/gateways/keys.transit.yaml", Group("gateways")),
        ("group_vars/gateways/keys.transit.json", Group("gateways")),
        ("group_vars/gateways/deep/er/keys.transit.yml", Group("gateways")),
        ("group_vars/gateways.transit.yml", Group("gateways")),
        ("group_vars/gateways.transit.json", Group("gateways")),
        ("host_vars/gw1/keys.transit.yml", Host("gw1")),
        ("host_vars/gw1.transit.yaml", Host("gw1")),
        ("host_vars/gw1.example.com/keys.transit.yml", Host("gw1.example.com")),
    ],
)
def test_a_file_is_found(get_vars: GetVars, put: Callable[..., Path], path: str, entity: Host | Group) -> None:
    put(path, token=SECRET)
    assert get_vars(entity) == {"token": SECRET}


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("group_vars/gateways/.keys.transit.yml", Group("gateways")),
        ("group_vars/gateways/.git/keys.transit.yml", Group("gateways")),
        ("group_vars/gateways/keys.transit.yml~", Group("gateways")),
        ("group_vars/others/keys.transit.yml", Group("gateways")),
        ("group_vars/gw1/keys.transit.yml", Host("gw1")),
        ("host_vars/gateways/keys.transit.yml", Group("gateways")),
        ("x/keys.transit.yml", Host("../x")),
        ("host_vars/a/b/keys.transit.yml", Host("a/b")),
        ("host_vars/keys.transit.yml", Host(".")),
        ("keys.transit.yml", Host("..")),
        ("x.transit.yml", Host("../x")),
    ],
)
def test_other_files_are_not_found(
    bao: Bao, get_vars: GetVars, put: Callable[..., Path], path: str, entity: Host | Group
) -> None:
    put(path, token=SECRET)
    ledger = Ledger(bao)
    assert get_vars(entity) == {}
    assert ledger.requests == []


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("group_vars/gateways/keys.yml", Group("gateways")),
        ("group_vars/gateways/deep/keys", Group("gateways")),
        ("group_vars/gateways.json", Group("gateways")),
        ("host_vars/gw1.yaml", Host("gw1")),
    ],
)
def test_what_ansible_reads_under_another_name_is_undefined_and_says_why(
    bao: Bao,
    get_vars: GetVars,
    put: Callable[..., Path],
    path: str,
    entity: Host | Group,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Otherwise its ciphertext would be written as a key."""
    file = put(path, token=SECRET)
    add(file, "plain", "{{ 1 + 1 }}")
    ledger = Ledger(bao)
    found = get_vars(entity)
    assert list(found) == ["token"], "Ansible has the others"
    problem = (
        "it is not decrypted, because its name does not end with .transit.yml. Rename the file to NAME.transit.yml."
    )
    assert f"{file}: token: {problem}" in used(found, "{{ token }}")
    get_vars(entity)
    said = " ".join(capsys.readouterr().err.split())
    assert said.replace(" ", "").count(f"{file}:{problem}".replace(" ", "")) == 1
    assert ledger.requests == []


def test_of_nested_data_under_another_name_a_leaf_is_undefined(
    bao: Bao, mount: str, get_vars: GetVars, tmp_path: Path
) -> None:
    ciphertext = encrypted(bao, mount, {"providers.openai.api_key": SECRET})["providers.openai.api_key"]
    metadata = {"format": 2, "backend": mount, "key": "ml", "unencrypted": ["providers.openai.url"]}
    content = {"providers": {"openai": {"api_key": ciphertext, "url": "u"}, "n": [1]}, "_transit": metadata}
    path = tmp_path / "group_vars/gateways/keys.yml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    found = get_vars(Group("gateways"))
    assert (found["providers"]["openai"]["url"], found["providers"]["n"]) == ("u", [1])
    assert "NAME.transit.yml" in used(found, "{{ providers.openai.api_key }}")


def test_links_are_followed_but_not_in_circles(
    get_vars: GetVars, put: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("common/keys.transit.yml", token=SECRET)
    folder = tmp_path / "group_vars/gateways"
    folder.mkdir(parents=True)
    (folder / "common").symlink_to("../../common")
    (folder / "again").symlink_to(".")
    (folder / "once more").symlink_to("../gateways")
    walked: list[str] = []
    walk = os.walk

    def counted(top: str, *, followlinks: bool, onerror: Any) -> Iterator[tuple[str, list[str], list[str]]]:
        for place, folders, names in walk(top, followlinks=followlinks, onerror=onerror):
            walked.append(place)
            assert len(walked) < 20
            yield place, folders, names

    monkeypatch.setattr(os, "walk", counted)
    assert get_vars(Group("gateways")) == {"token": SECRET}


def add(path: Path, name: str, value: str) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, name: value}), encoding="utf-8")


def test_an_encrypted_vars_file_does_not_choose_the_server(get_vars: GetVars, put: Callable[..., Path]) -> None:
    path = put("group_vars/gateways/keys.transit.yml", token=SECRET)
    add(path, "ansible_hashi_vault_url", "http://127.0.0.1:9/{{ lookup('pipe', 'false') }}")
    with pytest.raises(AnsibleParserError, match="value of ansible_hashi_vault_url is not ciphertext"):
        get_vars(Group("gateways"))


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT", "abc"), ("AUTH_METHOD", "app-role")])
def test_a_setting_that_cannot_be_ends_the_run_whatever_its_kind(
    get_vars: GetVars, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    put("group_vars/gateways/keys.transit.yml", token=SECRET)
    monkeypatch.setenv(f"ANSIBLE_HASHI_VAULT_{name}", value)
    with pytest.raises(AnsibleParserError, match=rf"\(ANSIBLE_HASHI_VAULT_{name}\) is '{value}', but must be "):
        get_vars(Group("gateways"))


def test_plain_values_are_never_templates_where_nothing_is_decrypted(
    get_vars: GetVars, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("group_vars/gateways/keys.transit.yml", token=SECRET, ansible_become_password=SECRET)
    add(path, "note", "{{ lookup('pipe', 'false') }}")
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_DECRYPT", "never")
    variables = get_vars(Group("gateways"))
    assert variables["ansible_become_password"].startswith("vault:v1:")
    assert (
        Templar(loader=DataLoader(), variables=variables).template(variables["note"]) == "{{ lookup('pipe', 'false') }}"
    )
    add(path, "ansible_host", "elsewhere")
    with pytest.raises(AnsibleParserError, match="sets ansible_host without encryption"):
        get_vars(Group("gateways"))


@pytest.mark.parametrize("name", ["ansible_hashi_vault_url", "vault_transit_host_services", "mlkeys_x"])
@pytest.mark.parametrize("decrypt", ["never", "always"])
def test_a_file_allows_itself_no_control(
    get_vars: GetVars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, decrypt: str
) -> None:
    path = tmp_path / "group_vars/all.transit.yml"
    path.parent.mkdir()
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_DECRYPT", decrypt)
    metadata = {"format": 2, "backend": "transit", "key": "ml", "unencrypted": [name, "note"]}
    hostile = "{{ lookup('pipe', 'false') }}"
    path.write_text(json.dumps({"note": hostile, "_transit": metadata}), encoding="utf-8")
    variables = get_vars(Group("all"))
    assert Templar(loader=DataLoader(), variables=variables).template(variables["note"]) == hostile
    path.write_text(json.dumps({name: "x", "_transit": metadata}), encoding="utf-8")
    with pytest.raises(AnsibleParserError, match=f"sets {name} without encryption"):
        get_vars(Group("all"))


def test_the_folder_of_a_group_wins_over_the_file_beside_it(get_vars: GetVars, put: Callable[..., Path]) -> None:
    put("group_vars/gateways.transit.yml", token="beside", other="kept")
    put("group_vars/gateways/keys.transit.yml", token="below")
    assert get_vars(Group("gateways")) == {"token": "below", "other": "kept"}


# --- requests ---


def test_all_files_of_a_key_are_decrypted_in_one_request(
    bao: Bao, mount: str, get_vars: GetVars, put: Callable[..., Path]
) -> None:
    make_key(bao, mount, "second")
    for number in range(5):
        put(f"host_vars/gw{number}/keys.transit.yml", token=f"of {number}")
    put("group_vars/gateways/keys.transit.yml", shared=SECRET)
    put("group_vars/others/keys.transit.yml", "second", foreign="x")
    ledger = Ledger(bao)

    for _task in range(3):
        assert get_vars(Group("gateways")) == {"shared": SECRET}
        for number in range(5):
            assert get_vars(Host(f"gw{number}")) == {"token": f"of {number}"}

    assert sorted(ledger.requests) == [("update", f"{mount}/decrypt/ml"), ("update", f"{mount}/decrypt/second")]


PLACES = ["group_vars/all", "group_vars/all/a", "group_vars/g/a", "host_vars/h0", "host_vars/h0/a", "host_vars/h1/a/b"]
ENTITIES = [Group("all"), Group("g"), Host("h0"), Host("h1"), Host("h2")]
FILES = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["ml", "second"]), st.sampled_from([1, 2])),
    unique_by=lambda file: file[0],
    max_size=len(PLACES),
)


@pytest.fixture
def contents(bao: Bao, mount: str) -> dict[tuple[str, int], str]:
    """The contents of files by their keys and formats."""
    found = {}
    for key in ("ml", "second"):
        make_key(bao, mount, key)
        flat, nested = encrypted(bao, mount, {"flat": "one", "data.nested": "two"}, key).values()
        for number, variables in ((1, {"flat": flat}), (2, {"flat": flat, "data": {"nested": nested}})):
            metadata = {"format": number, "backend": mount, "key": key}
            found[key, number] = json.dumps({**variables, "_transit": metadata})
    return found


@given(FILES, st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=6), st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_asks_for_each_key_once_at_most_and_a_look_for_none(
    bao: Bao,
    role: AppRole,
    contents: Mapping[tuple[str, int], str],
    tmp_path: Path,
    files: list[tuple[str, str, int]],
    entities: list[Group | Host],
    only_looks: bool,
) -> None:
    folder = tmp_path / f"run-{time.monotonic_ns()}"
    for place, key, number in files:
        path = folder / f"{place}.transit.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents[key, number], encoding="utf-8")
    ledger = Ledger(bao)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {"BAO_ADDR": bao.addr, **role.environment}.items():
            patched.setenv(name, value)
        plugin = begin_run(patched)
        if only_looks:
            patched.setattr(context, "CLIARGS", {"listhosts": True, "forks": 5})
        found = [plugin.get_vars(DataLoader(), str(folder), [entity]) for entity in entities]
    plaintexts = [value for variables in found for value in (variables.get("flat"), variables.get("data")) if value]
    assert all(value in ("one", {"nested": "two"}) for value in plaintexts) or only_looks
    done = asked(ledger)
    keys = {path for _operation, path in ledger.requests if "/decrypt/" in path}
    assert done.pop("login", 0) == (1 if keys else 0)
    assert done == ({"decrypt": len(keys)} if keys else {})
    assert bool(keys) is bool(plaintexts and not only_looks)


def test_without_cache_each_use_makes_a_request(
    bao: Bao, get_vars: GetVars, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_CACHE", "false")
    put("host_vars/gw1/keys.transit.yml", token=SECRET)
    ledger = Ledger(bao)
    for _use in range(3):
        assert get_vars(Host("gw1")) == {"token": SECRET}
    assert asked(ledger) == {"decrypt": 3}


def test_commands_that_only_look_read_a_file_once(
    get_vars: GetVars, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("group_vars/all/keys.transit.yml", token=SECRET)
    monkeypatch.setattr(context, "CLIARGS", {})
    code = __import__("ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files", fromlist=["_"])
    with mock.patch.object(code, "from_disk", side_effect=code.from_disk) as read:
        stored = [get_vars(Group("all"), Host(f"gw{number}")) for number in range(5)]
        assert read.call_count == 1
        assert all(found == stored[0] and found["token"].startswith("vault:v1:") for found in stored)
        put("group_vars/all/keys.transit.yml", token="another")
        assert get_vars(Group("all")) != stored[0]
        path.write_text("token: plain\n", encoding="utf-8")
        assert get_vars(Group("all")) == {"token": "plain"}
        path.write_text("- token\n", encoding="utf-8")
        assert get_vars(Group("all")) == {}
    # A file and a folder that come later are found, too.
    put("host_vars/gw0/keys.transit.yml", own=SECRET)
    put("host_vars/gw1.transit.yml", own=SECRET)
    assert [list(get_vars(Host(name))) for name in ("gw0", "gw1", "gw2")] == [["own"], ["own"], []]


def test_a_file_that_changes_is_read_again(bao: Bao, get_vars: GetVars, put: Callable[..., Path]) -> None:
    path = put("host_vars/gw1/keys.transit.yml", token="old")
    assert get_vars(Host("gw1")) == {"token": "old"}
    before = path.stat()
    put("host_vars/gw1/keys.transit.yml", token="new")
    # Even one of the same length and time, because modules replace a file by a new one.
    replaced = path.with_suffix(".new")
    replaced.write_bytes(path.read_bytes())
    replaced.replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert get_vars(Host("gw1")) == {"token": "new"}
    put("host_vars/gw1/more.transit.yml", another="x")
    assert get_vars(Host("gw1")) == {"token": "new", "another": "x"}
    path.unlink()
    ledger = Ledger(bao)
    assert get_vars(Host("gw1")) == {"another": "x"}
    assert ledger.requests == []


def test_restored_content_needs_no_request(bao: Bao, get_vars: GetVars, put: Callable[..., Path]) -> None:
    path = put("host_vars/gw1/keys.transit.yml", token=SECRET)
    text = path.read_text(encoding="utf-8")
    get_vars(Host("gw1"))
    put("host_vars/gw1/keys.transit.yml", token="other one")
    get_vars(Host("gw1"))
    path.write_text(text, encoding="utf-8")
    ledger = Ledger(bao)
    assert get_vars(Host("gw1")) == {"token": SECRET}
    assert ledger.requests == []


def test_a_disabled_plugin_does_nothing(
    bao: Bao, get_vars: GetVars, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_DISABLED", "true")
    put("host_vars/gw1/keys.transit.yml", token=SECRET)
    ledger = Ledger(bao)
    assert get_vars(Host("gw1")) == {}
    assert ledger.requests == []


# --- failures ---


def trusted(text: str) -> Any:
    return marked(text, template=True)


def used(variables: Mapping[str, Any], template: str) -> str:
    """The error of what uses variables, or nothing."""
    try:
        Templar(DataLoader(), variables=dict(variables)).template(trusted(template))
    except AnsibleError as error:
        return str(error)
    return ""


def damaged(ciphertext: str) -> str:
    return ciphertext[:-8] + ("AAAAAAA=" if ciphertext[-8:] != "AAAAAAA=" else "BBBBBBB=")


@pytest.fixture
def one_is_damaged(put: Callable[..., Path]) -> dict[str, str]:
    """A file with one damaged value; its content."""
    path = put("host_vars/gw1/keys.transit.yml", good=SECRET, bad=SECRET)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["bad"] = damaged(content["bad"])
    path.write_text(json.dumps(content), encoding="utf-8")
    return {"good": content["good"], "bad": content["bad"]}


def test_a_damaged_value_is_undefined_and_says_why(
    get_vars: GetVars, one_is_damaged: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _use in range(3):
        found = get_vars(Host("gw1"))
    assert found["good"] == SECRET
    hint = used(found, "{{ bad }}")
    assert re.search(r"gw1/keys\.transit\.yml: bad: ", hint)
    assert SECRET not in hint
    assert one_is_damaged["bad"] not in hint
    assert used(found, "{{ good }}") == ""
    assert Templar(DataLoader(), variables=found).template(trusted("{{ bad is defined }}")) is False
    shown = capsys.readouterr().err
    assert shown.count("WARNING") == 1
    assert "bad is undefined" in " ".join(shown.split())


def test_of_nested_data_a_damaged_leaf_is_undefined(bao: Bao, mount: str, get_vars: GetVars, tmp_path: Path) -> None:
    good, bad = encrypted(bao, mount, {"data.good": SECRET, "data.bad.0": "x"}).values()
    metadata = {"format": 2, "backend": mount, "key": "ml", "unencrypted": ["data.open"]}
    content = {"data": {"good": good, "bad": [damaged(bad)], "open": "as it is"}, "_transit": metadata}
    path = tmp_path / "group_vars/all.transit.yml"
    path.parent.mkdir()
    path.write_text(json.dumps(content), encoding="utf-8")
    variables = get_vars(Group("all"))
    assert variables["data"]["good"] == SECRET
    assert "data.bad.0: it does not decrypt" in used(variables, "{{ data.bad[0] }}")
    assert used(variables, "{{ data.good }} {{ data.open }}") == ""
    assert "data.bad.0" in used(variables, "{{ data }}")


def test_a_damaged_value_ends_the_run_if_that_is_configured(
    get_vars: GetVars, one_is_damaged: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_ON_ERROR", "error")
    with pytest.raises(AnsibleParserError, match=r"gw1/keys\.transit\.yml: bad: ") as failure:
        get_vars(Host("gw1"))
    assert SECRET not in str(failure.value)
    assert one_is_damaged["bad"] not in str(failure.value)
    assert printed_with(failure.value) == []


@pytest.mark.parametrize(("on_error", "warnings"), [("warn", 1), ("ciphertext", 0)])
def test_a_damaged_value_stays_ciphertext_if_that_is_configured(
    get_vars: GetVars,
    one_is_damaged: Mapping[str, str],
    on_error: str,
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_ON_ERROR", on_error)
    for _use in range(3):
        assert get_vars(Host("gw1")) == {"good": SECRET, "bad": one_is_damaged["bad"]}
    assert capsys.readouterr().err.count("WARNING") == warnings


# As the policy `default` says.
MAY_ASK = '\npath "sys/capabilities-self" { capabilities = ["update"] }'


def test_what_a_policy_does_not_grant_is_one_warning_and_few_requests(
    bao: Bao,
    mount: str,
    get_vars: GetVars,
    put: Callable[..., Path],
    mint_token: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A policy for single secrets allows no batch."""
    names = [f"key_{number:02}" for number in range(14)]
    for group in ("all", "gateways"):
        put(f"group_vars/{group}/keys.transit.yml", **dict.fromkeys(names, SECRET))
    monkeypatch.setenv("BAO_TOKEN", mint_token(hcl(grant_rules("decrypt", mount, "ml", [names[-1]])) + MAY_ASK))
    ledger = Ledger(bao)
    for group in ("all", "gateways"):
        found = get_vars(Group(group))
        assert found[names[-1]] == SECRET
        assert "policies do not allow it for this name" in used(found, "{{ key_03 }}")
        if hasattr(ansible_template, "trust_as_template"):
            assert used(found, f"{{{{ {names[-1]} }}}}") == ""
    asked = [path.split("/")[-2] for _operation, path in ledger.requests]
    # Together, then each name once, and the granted one of the other file.
    assert sorted(asked) == ["decrypt"] * (1 + len(names) + 1) + ["sys"]
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("WARNING") == 2
    assert shown.count("13 of 14 entries do not decrypt: key_00, key_01, key_02 and 10 more: the token's policies") == 2
    assert "They are undefined: what uses one fails." in shown


def test_a_token_without_rights_is_refused_once(
    bao: Bao,
    mount: str,
    get_vars: GetVars,
    put: Callable[..., Path],
    mint_token: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("group_vars/all/keys.transit.yml", **{f"key_{number}": SECRET for number in range(14)})
    monkeypatch.setenv("BAO_TOKEN", mint_token(f'path "{mount}/encrypt/ml" {{ capabilities = ["update"] }}' + MAY_ASK))
    ledger = Ledger(bao)
    assert "Permission denied" in used(get_vars(Group("all")), "{{ key_0 }}")
    assert [path for _operation, path in ledger.requests] == [f"{mount}/decrypt/ml", "sys/capabilities-self"]


@pytest.fixture(params=["denied", "unreachable", "no key", "no login"])
def trouble(
    request: pytest.FixtureRequest,
    bao: Bao,
    mount: str,
    mint_token: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    one_file: str,
) -> None:
    """A reason why a file cannot be decrypted."""
    if request.param == "denied":
        monkeypatch.setenv("BAO_TOKEN", mint_token(f'path "{mount}/decrypt/other" {{ capabilities = ["update"] }}'))
    elif request.param == "unreachable":
        monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    elif request.param == "no key":
        bao.done("POST", f"{mount}/keys/ml/config", {"deletion_allowed": True})
        bao.done("DELETE", f"{mount}/keys/ml")
    else:
        monkeypatch.delenv("BAO_TOKEN")


@pytest.fixture
def one_file(get_vars: GetVars, put: Callable[..., Path]) -> str:
    """Write a file with one value; its ciphertext."""
    path = put("host_vars/gw1/keys.transit.yml", token=SECRET)
    return str(json.loads(path.read_text(encoding="utf-8"))["token"])


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize("on_error", ["undefined", "error", "warn", "ciphertext"])
def test_files_that_cannot_be_decrypted(
    get_vars: GetVars,
    one_file: str,
    bao: Bao,
    on_error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_ON_ERROR", on_error)

    if on_error == "error":
        with pytest.raises(AnsibleParserError, match=r"gw1/keys\.transit\.yml: ") as failure:
            get_vars(Host("gw1"))
        assert bao.token not in str(failure.value)
    elif on_error == "undefined":
        hint = used(get_vars(Host("gw1")), "{{ token }}")
        assert re.search(r"\S+gw1/keys\.transit\.yml: token: ", hint)
        assert bao.token not in hint
    else:
        assert get_vars(Host("gw1")) == {"token": one_file}
        assert get_vars(Host("gw1")) == {"token": one_file}
    assert capsys.readouterr().err.count("WARNING") == (on_error in ("undefined", "warn"))


@pytest.mark.usefixtures("trouble", "one_file")
def test_files_with_the_same_problem_have_one_warning(
    get_vars: GetVars, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(tmp_path.glob("**/gw1"))
    for host in ("gw2", "gw3"):
        shutil.copytree(folder, folder.with_name(host))
    for host in ("gw1", "gw2", "gw3"):
        assert re.search(rf"\S+{host}/keys\.transit\.yml: token: ", used(get_vars(Host(host)), "{{ token }}"))
    assert capsys.readouterr().err.count("WARNING") == 1


@pytest.mark.parametrize(
    "text",
    [
        "token: [1\n",
        "- a list\n",
        "\x00",
        "{" * 5000,
        '{"token": "vault:v1:AAAA"}',
        '{"_transit": 3}',
        '{"_transit": {"format": 3}}',
        None,
    ],
    ids=["not YAML", "a list", "binary", "too deep", "no key named", "odd metadata", "a later format", "a dead link"],
)
def test_an_invalid_file_fails_only_the_hosts_that_use_it(
    get_vars: GetVars, put: Callable[..., Path], tmp_path: Path, text: str | None
) -> None:
    put("host_vars/gw1/keys.transit.yml", token=SECRET)
    path = tmp_path / "host_vars/gw2/keys.transit.yml"
    path.parent.mkdir()
    if text is None:
        path.symlink_to("nowhere")
    else:
        path.write_text(text, encoding="utf-8")

    assert get_vars(Host("gw1")) == {"token": SECRET}
    with pytest.raises(AnsibleParserError, match=r"gw2/keys\.transit\.yml"):
        get_vars(Host("gw2"))


def test_files_of_other_hosts_that_cannot_be_decrypted_do_no_harm(
    bao: Bao,
    mount: str,
    get_vars: GetVars,
    put: Callable[..., Path],
    mint_token: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_key(bao, mount, "theirs")
    put("host_vars/gw1/keys.transit.yml", token=SECRET)
    put("host_vars/gw2/keys.transit.yml", "theirs", token=SECRET)
    path = put("host_vars/gw3/keys.transit.yml", token=SECRET)
    path.write_text(path.read_text(encoding="utf-8").replace("vault:v1:", "vault:v7:"), encoding="utf-8")
    policy = f'path "{mount}/decrypt/ml" {{ capabilities = ["update"] }}'
    monkeypatch.setenv("BAO_TOKEN", mint_token(policy))

    assert get_vars(Host("gw1")) == {"token": SECRET}
    for name in ("gw2", "gw3"):
        assert f"host_vars/{name}/" in used(get_vars(Host(name)), "{{ token }}")


def test_a_value_that_is_not_text_is_named(bao: Bao, mount: str, get_vars: GetVars, put: Callable[..., Path]) -> None:
    path = put("host_vars/gw1/keys.transit.yml", token=SECRET)
    context = "dG9rZW4="  # token
    answer = bao.done("POST", f"{mount}/encrypt/ml", {"plaintext": "/////w==", "context": context})
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "token": answer["data"]["ciphertext"]}), encoding="utf-8")
    assert "token is not text" in used(get_vars(Host("gw1")), "{{ token }}")


@pytest.fixture
def partly_plain(put: Callable[..., Path]) -> None:
    path = put("host_vars/gw1/keys.transit.yml", token=SECRET)
    content = {**json.loads(path.read_text(encoding="utf-8")), "endpoint": "sk-left-in-the-clear", "ports": [443]}
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.usefixtures("partly_plain")
def test_an_unencrypted_value_ends_the_run(get_vars: GetVars) -> None:
    with pytest.raises(AnsibleParserError, match="the value of endpoint, ports is not ciphertext") as failure:
        get_vars(Host("gw1"))
    assert "sk-left" not in str(failure.value)


@pytest.mark.usefixtures("partly_plain")
@pytest.mark.parametrize(("unencrypted", "warnings"), [("warn", 1), ("allow", 0)])
def test_an_unencrypted_value_is_used_if_that_is_configured(
    get_vars: GetVars,
    unencrypted: str,
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLKEYS_TRANSIT_VARS_UNENCRYPTED", unencrypted)
    for _use in range(2):
        assert get_vars(Host("gw1")) == {"token": SECRET, "endpoint": "sk-left-in-the-clear", "ports": [443]}
    shown = capsys.readouterr().err
    assert shown.count("WARNING") == warnings
    assert "sk-left" not in shown


def test_a_name_with_a_line_break_begins_no_line_of_the_error(get_vars: GetVars, put: Callable[..., Path]) -> None:
    path = put("host_vars/gw1/keys.transit.yml", token=SECRET)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["_transit"]["key"] = "ml\nok: [gw1]\x1b[2J"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AnsibleParserError) as failure:
        get_vars(Host("gw1"))
    assert "\nok:" not in str(failure.value)
    assert "\x1b" not in str(failure.value)
    assert r"ml\nok: [gw1]\x1b[2J" in str(failure.value)


def test_a_file_of_a_few_blocks_does_not_fill_the_memory(get_vars: GetVars, put: Callable[..., Path]) -> None:
    os.truncate(put("host_vars/gw1/keys.transit.yml", token=SECRET), 1 << 42)
    with pytest.raises(AnsibleParserError, match="is larger than 64 MiB"):
        get_vars(Host("gw1"))


# --- whole runs ---


@pytest.fixture
def role(bao: Bao, mount: str) -> Iterator[AppRole]:
    with approle(bao, may_use(mount)) as made:
        yield made


@pytest.fixture
def project(bao: Bao, mount: str, role: AppRole, tmp_path: Path, put: Callable[..., Path]) -> Project:
    make_key(bao, mount)
    made = Project(tmp_path, {"BAO_ADDR": bao.addr, **role.environment})
    made.hosts(10)
    put("group_vars/gateways/keys.transit.yml", openai=SECRET, braces="a {{ b }} {% c %}", other="x")
    put("group_vars/all/keys.transit.yml", openai="the group's wins", hf="hf_1")
    put("host_vars/gateway1/keys.transit.yml", own="of one")
    return made


def test_ten_hosts_need_one_login_and_one_request(bao: Bao, mount: str, project: Project, role: AppRole) -> None:
    term = encrypted(bao, mount, {"term": "of a term"})["term"]
    project.play(
        f"""
        - ansible.builtin.debug:
            msg: "{{{{ lookup('mlkeys.transit.vault_transit', '{term}', **key) }}}}"
          vars: {{key: {{backend: {mount}, key: ml, context: term}}}}
        """
        """
        - ansible.builtin.debug: {msg: "{{ openai }} {{ hf }} {{ own | default('none') }}"}
        - ansible.builtin.debug: {msg: "{{ braces }}"}
        """
    )
    # A term that is in no file has a request of its own, for all hosts.
    ledger = Ledger(bao)
    done = project.run(env=VARS_PLUGIN)
    assert sorted(messages(done.stdout)) == [
        *["a {{ b }} {% c %}"] * 10,
        *["of a term"] * 10,
        *[f"{SECRET} hf_1 none"] * 9,
        f"{SECRET} hf_1 of one",
    ]
    assert asked(ledger) == {"login": 1, "decrypt": 2, "revoke-self": 1}
    assert live_tokens(bao, role) == 0


def test_without_the_plugin_the_variables_hold_ciphertext(bao: Bao, project: Project) -> None:
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    ledger = Ledger(bao)
    done = project.run("--limit", "gateway1")
    [shown] = messages(done.stdout)
    assert shown.startswith("vault:v1:")
    assert ledger.requests == []


@pytest.mark.parametrize("look", ["--syntax-check", "--list-tasks", "--list-hosts", "--list-tags"])
def test_listing_a_playbook_makes_no_request(bao: Bao, project: Project, look: str) -> None:
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    ledger = Ledger(bao)
    project.run(look, env=VARS_PLUGIN)
    assert ledger.requests == []


def test_looking_at_an_inventory_gives_ciphertext(
    bao: Bao, project: Project, put: Callable[..., Path], tmp_path: Path
) -> None:
    """Without a request, and also from a file that Ansible itself does not read; plaintext only on demand."""
    put("group_vars/gateways.transit.yml", hf=SECRET)
    ledger = Ledger(bao)
    program = str(Path(sys.executable).parent / "ansible-inventory")
    environment = {
        **os.environ,
        **project.environment,
        **VARS_PLUGIN,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
    }

    def looked(**further: str) -> str:
        argv = [program, "-i", "inventory.yml", "--playbook-dir", ".", "--list"]
        done = subprocess.run(
            argv, cwd=tmp_path, env={**environment, **further}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        variables: dict[str, Any] = json.loads(done.stdout)["_meta"]["hostvars"]["gateway1"]
        return str(variables["hf"])

    assert looked().startswith("vault:v1:")
    assert ledger.requests == []
    assert SECRET in looked(MLKEYS_TRANSIT_VARS_DECRYPT="always")


def test_decryption_can_be_switched_off_for_a_run(bao: Bao, project: Project, put: Callable[..., Path]) -> None:
    put("group_vars/gateways/keys.transit.yml", openai=SECRET)
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    ledger = Ledger(bao)
    done = project.run("--limit", "gateway1", env={**VARS_PLUGIN, "MLKEYS_TRANSIT_VARS_DECRYPT": "never"})
    assert [text.startswith("vault:v1:") for text in messages(done.stdout)] == [True]
    assert ledger.requests == []


def test_a_merge_conflict_is_explained_although_another_plugin_reads_the_file_first(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "group_vars/all/keys.transit.yml"
    text = path.read_text(encoding="utf-8")
    for file in (path, tmp_path / "loaded.transit.yml"):
        file.write_text(f"<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> topic\n", encoding="utf-8")
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    shown = " ".join(project.run("--limit", "gateway1", env=VARS_PLUGIN, status=4).stderr.split())
    assert shown.count("has an unresolved merge conflict") == 2
    assert re.search(r"loaded.transit.yml:1 \(HEAD\) and", shown), "what vars_files and include_vars read"
    assert re.search(r"yml:1 \(HEAD\) and the other side is at .*yml:3 \(topic\)", shown)


def test_templates_are_evaluated_if_that_is_configured(
    bao: Bao, project: Project, mount: str, put: Callable[..., Path], tmp_path: Path
) -> None:
    put("group_vars/gateways/keys.transit.yml", openai="{{ 6 * 7 }} {{ inventory_hostname }}")
    plain = {**json.loads(vars_file(bao, mount, {"hf": "hf_1"})), "endpoint": "{{ 6 * 7 }}", "list": ["{{ 1 + 1 }}"]}
    (tmp_path / "host_vars/gateway1/keys.transit.yml").write_text(json.dumps(plain), encoding="utf-8")
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}|{{ endpoint }}|{{ list[0] }}'}")
    allowed = {**VARS_PLUGIN, "MLKEYS_TRANSIT_VARS_UNENCRYPTED": "allow"}
    # An unencrypted value is evaluated as in any other vars file, whatever happens to decrypted ones.
    for env, first in (
        (allowed, "{{ 6 * 7 }} {{ inventory_hostname }}"),
        ({**allowed, "MLKEYS_TRANSIT_VARS_TEMPLATE": "true"}, "42 gateway1"),
    ):
        assert messages(project.run("--limit", "gateway1", env=env).stdout) == [f"{first}|42|2"]


def test_a_file_written_during_the_run_is_read_by_the_next_task(
    bao: Bao, mount: str, project: Project, tmp_path: Path
) -> None:
    make_key(bao, mount, "written")
    project.play(
        f"""
        - ansible.builtin.debug: {{msg: "{{{{ hf }}}}"}}
        - mlkeys.transit.vault_transit_vars:
            path: {tmp_path}/group_vars/gateways/new.transit.yml
            backend: {mount}
            key: written
            secrets: {{hf: hf_2, fresh: really}}
        - ansible.builtin.debug: {{msg: "{{{{ hf }}}} {{{{ fresh }}}}"}}
        """
    )
    ledger = Ledger(bao)
    done = project.run("--limit", "gateway1", env=VARS_PLUGIN)
    assert messages(done.stdout) == ["hf_1", "hf_2 really"]
    kinds = asked(ledger)
    assert kinds["login"] == 1
    assert kinds["decrypt"] == 1, "what the run itself has written is known"


@pytest.mark.parametrize("stage", ["inventory", "task", "all"])
def test_every_stage_returns_the_same(project: Project, stage: str) -> None:
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    # The plugin that returns the ciphertext must have the same stage.
    env = {**VARS_PLUGIN, "MLKEYS_TRANSIT_VARS_STAGE": stage, "ANSIBLE_VARS_PLUGIN_STAGE": stage}
    assert messages(project.run("--limit", "gateway1", env=env).stdout) == [SECRET]


def test_files_beside_the_playbook_win_over_those_beside_the_inventory(
    bao: Bao, mount: str, project: Project, tmp_path: Path
) -> None:
    project.write(
        "plays/group_vars/gateways/keys.transit.yml", vars_file(bao, mount, {"openai": "beside the playbook"})
    )
    project.play("- ansible.builtin.debug: {msg: '{{ openai }} {{ other }}'}")
    (tmp_path / "play.yml").rename(tmp_path / "plays/play.yml")
    done = project.run("--limit", "gateway1", env=VARS_PLUGIN, playbook="plays/play.yml")
    assert messages(done.stdout) == ["beside the playbook x"]


def test_the_order_of_the_plugins_decides_and_the_wrong_one_is_warned_of(project: Project) -> None:
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    env = {"ANSIBLE_VARS_ENABLED": "mlkeys.transit.vault_transit,host_group_vars"}
    done = project.run("--limit", "gateway1", env=env)
    [shown] = messages(done.stdout)
    assert shown.startswith("vault:v1:")
    said = " ".join(done.stderr.split())
    assert said.count("lists mlkeys.transit.vault_transit before host_group_vars") == 1
    assert "before host_group_vars" not in project.run("--limit", "gateway1", env=VARS_PLUGIN).stderr


def test_without_the_server_only_what_uses_a_secret_fails(project: Project, tmp_path: Path) -> None:
    project.play(
        """
        - ansible.builtin.debug: {msg: "no secret here"}
        - ansible.builtin.debug: {msg: "{{ openai }}"}
        """
    )
    away = {**project.environment, **VARS_PLUGIN, "BAO_ADDR": "http://127.0.0.1:1"}
    done = run_playbook("play.yml", inventory="inventory.yml", cwd=tmp_path, env=away)
    assert messages(done.stdout)[:10] == ["no secret here"] * 10
    assert "failed=10" not in done.stdout
    assert done.stdout.count("failed=1 ") == 10
    shown = " ".join((done.stdout + done.stderr).split())
    assert "gateways/keys.transit.yml: openai: Cannot reach the server" in shown
    # One for all files, hosts and tasks.
    assert done.stderr.count("WARNING") == 1
    assert SECRET not in shown


def test_a_failure_shows_neither_values_nor_credentials(
    bao: Bao, mount: str, project: Project, role: AppRole, tmp_path: Path
) -> None:
    path = tmp_path / "group_vars/gateways/keys.transit.yml"
    content = {**json.loads(path.read_text(encoding="utf-8")), **encrypted(bao, mount, {"good": SECRET})}
    path.write_text(json.dumps({**content, "openai": damaged(content["openai"])}), encoding="utf-8")
    project.play("- ansible.builtin.debug: {msg: '{{ openai }}'}")
    done = run_playbook(
        "play.yml",
        inventory="inventory.yml",
        cwd=tmp_path,
        env={**project.environment, **VARS_PLUGIN},
        args=["-vvvv"],
    )
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert "keys.transit.yml: openai: " in shown.replace("\n", " ")
    for secret in (SECRET, role.secret_id, bao.token):
        assert secret not in shown
    assert live_tokens(bao, role) == 0


def test_an_inventory_that_is_listed_decrypted_needs_one_login(
    bao: Bao, project: Project, role: AppRole, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        **project.environment,
        **VARS_PLUGIN,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "MLKEYS_TRANSIT_VARS_DECRYPT": "always",
    }
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", "inventory.yml", "--list"]
    ledger = Ledger(bao)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    # Since ansible-core 2.19 a text that is not a template is marked as such in the output.
    plain: list[object] = [SECRET, {"__ansible_unsafe": SECRET}]
    assert all(hosts[f"gateway{number}"]["openai"] in plain for number in range(10))
    assert asked(ledger) == {"login": 1, "decrypt": 1, "revoke-self": 1}
    listed = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment, "MLKEYS_TRANSIT_VARS_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert SECRET not in listed.stdout
    assert len(ledger.requests) == 3
