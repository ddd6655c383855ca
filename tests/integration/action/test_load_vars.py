# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module load_vars: variables of a host, and plaintext in nothing that a run prints or keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.support.plays import (
    CALLBACK,
    VARS_PLUGIN,
    Project,
    approle,
    asked,
    make_key,
    may_use,
    messages,
    vars_file,
)
from tests.integration.support.runs import Ledger
from tests.support.canary import leaking_files, recorders
from tests.support.core import CORE
from tests.support.modules import run_module
from tests.support.server import Bao

CANARY = {"api key": "sk-loaded-canary-7Tm", "braces": "x-{{ part }}-canary-7Tm", "evaluated": "x-3-canary-7Tm"}
SETS_VARIABLES = CORE >= (2, 21)


@pytest.fixture
def project(bao: Bao, mount: str, tmp_path: Path) -> Project:
    make_key(bao, mount)
    secrets = {
        "openai": {"api_key": CANARY["api key"], "retries": 3, "on": [True, False]},
        "braces": CANARY["braces"],
        "part": "{{ 1 + 2 }}",
    }
    arguments = {**bao.login, "path": str(tmp_path / "keys.transit.yml"), "backend": mount, "key": "ml"}
    assert not run_module("vault_transit_vars", {**arguments, "secrets": secrets}).failed
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token})
    project.hosts(2)
    return project


USED = """\
- mlkeys.transit.load_vars: {file: keys.transit.yml, name: keys}
- ansible.builtin.assert:
    that:
      - keys.openai.api_key | hash('sha256') == digest
      - keys.openai.retries + 1 == 4
      - keys.openai['on'] == [true, false]
      # It is data, whatever it contains.
      - keys.braces is search('part }')
    quiet: true
- mlkeys.transit.load_vars: {file: keys.transit.yml, names: "{{ item }}", template: true}
  loop: [[openai.api_key, part], [braces, part]]
  register: loaded
- ansible.builtin.debug:
    msg: "{{ openai.api_key[-2:] }} {{ braces[:3] }} {{ loaded.results | length }} {{ hostvars.gateway1.braces[:3] }}"
- mlkeys.transit.load_vars: {file: "{{ item }}"}
  loop: [gone.transit.yml, keys.transit.yml]
  ignore_errors: true
"""
SETTINGS = {
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree,everything",
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parents[2] / "support/callback"),
    "ANSIBLE_INJECT_FACT_VARS": "true",
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
}


def test_what_is_loaded_is_in_variables_and_nowhere_else(
    bao: Bao, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A short path: Ansible makes sockets in the folder for temporary files.
    records = tmp_path_factory.mktemp("records")
    environment = {
        **recorders(records),
        **SETTINGS,
        "JUNIT_OUTPUT_DIR": str(records / "junit"),
        "ANSIBLE_CALLBACK_TREE_DIR": str(records / "tree"),
    }
    if not SETS_VARIABLES:
        environment["ANSIBLE_CACHE_PLUGIN"] = "memory"
    digest = "{{ ('sk-loaded-' ~ 'canary-7Tm') | hash('sha256') }}"
    project.play(USED, f'vars: {{digest: "{digest}"}}\n')
    done = project.run("-vvvv", env=environment)
    assert messages(done.stdout).count("Tm x-3 2 x-3") == 2
    assert "gone.transit.yml does not exist beside the playbook" in done.stdout
    (records / "printed").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert list((records / "tree").iterdir())
    assert leaking_files(records, CANARY) == set()


@pytest.mark.skipif(SETS_VARIABLES, reason="variables are not facts")
@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts"}, "and 'jsonfile'"),
        ({"ANSIBLE_INJECT_FACT_VARS": "false"}, "facts are not variables here"),
    ],
)
def test_plaintext_becomes_no_fact_that_is_stored(
    bao: Bao, project: Project, tmp_path: Path, environment: dict[str, str], problem: str
) -> None:
    project.play("- mlkeys.transit.load_vars: {file: keys.transit.yml}\n")
    ledger = Ledger(bao)
    done = project.run(env=environment, status=2)
    assert problem in done.stdout
    assert "use the lookup mlkeys.transit.vault_transit_vars" in done.stdout
    assert asked(ledger) == {}
    assert leaking_files(tmp_path / "facts", CANARY) == set()


SEVERAL = """\
- mlkeys.transit.load_vars: {file: "{{ item }}.transit.yml"}
  loop: [first, vars/second, third]
- ansible.builtin.debug: {msg: "{{ first.key[-3:] }} {{ second.key[-3:] }} {{ third.key[-3:] }}"}
"""


@pytest.mark.parametrize(
    ("environment", "decrypts"), [(VARS_PLUGIN, 2), (CALLBACK, 2), ({}, 4)], ids=["plugin", "callback", "neither"]
)
def test_a_run_decrypts_once_for_each_key(
    bao: Bao, mount: str, tmp_path: Path, environment: dict[str, str], decrypts: int
) -> None:
    files = {"first": "ml", "vars/second": "ml", "third": "other", "group_vars/all/fourth": "ml", "vars/damaged": "ml"}
    for key in ("ml", "other"):
        make_key(bao, mount, key)
    for place, key in files.items():
        path = tmp_path / f"{place}.transit.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        arguments = {**bao.login, "path": str(path), "backend": mount, "key": key}
        secrets = {path.name.split(".")[0]: {"key": f"sk-{key}-two"}}
        assert not run_module("vault_transit_vars", {**arguments, "secrets": secrets}).failed
    # What nobody loads fails nothing.
    damaged = tmp_path / "vars/damaged.transit.yml"
    text = damaged.read_text(encoding="utf-8").replace("key: vault:v1:", "key: vault:v1:AAAA")
    damaged.write_text(text, encoding="utf-8")
    with approle(bao, may_use(mount)) as role:
        project = Project(tmp_path, {"BAO_ADDR": bao.addr, **role.environment, **environment})
        project.hosts(2)
        project.play(SEVERAL)
        ledger = Ledger(bao)
        done = project.run(forks=2)
    # Workers that share nothing log in and ask for themselves, each of them once for all items of its loop.
    assert messages(done.stdout) == ["two two two"] * 2
    assert asked(ledger)["decrypt"] == decrypts
    assert asked(ledger)["login"] == (1 if environment else 2)


FAILING = """\
- mlkeys.transit.load_vars: {file: flat.transit.yml, names: [openai]}
- ansible.builtin.debug: {msg: "{{ openai[-2:] }}"}
- mlkeys.transit.load_vars: {file: flat.transit.yml}
  register: denied
  ignore_errors: true
- mlkeys.transit.load_vars: {file: flat.transit.yml, url: "http://127.0.0.1:1"}
  register: down
  ignore_errors: true
- mlkeys.transit.load_vars: {file: damaged.transit.yml, names: [openai]}
  register: damaged
  ignore_errors: true
- mlkeys.transit.load_vars: {file: flat.transit.yml, names: [openai], name: my-keys}
  register: unnamed
  ignore_errors: true
- mlkeys.transit.load_vars:
    file: damaged.transit.yml
    names: [braces]
    template: true
    auth_method: token
    token: "{{ lookup('ansible.builtin.env', 'FOR_ALL') }}"
  register: template
  ignore_errors: true
- mlkeys.transit.load_vars: {path: flat.transit.yml}
  register: misspelt
  ignore_errors: true
- ansible.builtin.copy:
    dest: results.json
    content: "{{ {'denied': denied, 'down': down, 'damaged': damaged, 'unnamed': unnamed, 'template': template,
      'misspelt': misspelt} | to_json }}"
    mode: "0600"
"""


def test_a_token_for_one_secret_loads_it_and_failures_say_what_to_do(
    bao: Bao, mount: str, project: Project, tmp_path: Path
) -> None:
    values = {"openai": CANARY["api key"], "braces": "{{ nothing-canary-7Tm }}"}
    flat = json.loads(vars_file(bao, mount, values))
    project.write("flat.transit.yml", json.dumps(flat))
    project.write("damaged.transit.yml", json.dumps({**flat, "openai": flat["braces"]}))
    project.hosts(1)
    project.play(FAILING)
    grant = {"allow": ["decrypt"], "backend": mount, "key": "ml", "secrets": ["openai"]}
    assert not run_module("vault_transit_policy", {**bao.login, "name": f"{mount}-one", "grants": [grant]}).failed
    policy = bao.done("GET", f"sys/policies/acl/{mount}-one")["data"]["policy"]
    with approle(bao, policy) as role:
        environment = {"BAO_ADDR": bao.addr, "FOR_ALL": bao.token, **role.environment}
        done = Project(tmp_path).run(env=environment)
    assert messages(done.stdout)[0] == "Tm"
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    found = {name: result["msg"] for name, result in results.items()}
    for name, words in {
        "denied": ["flat.transit.yml: braces: ", bao.addr, "the root namespace"],
        "down": ["flat.transit.yml: ", "http://127.0.0.1:1"],
        "damaged": ["damaged.transit.yml: openai: it does not decrypt", bao.addr],
        "unnamed": ["'my-keys' cannot be the name of a variable"],
        "template": ["damaged.transit.yml: braces: "],
        "misspelt": ["does not have the option 'path'", "Did you mean 'file'"],
    }.items():
        assert [word for word in words if word not in found[name]] == [], found[name]
    printed = {"printed": done.stdout + done.stderr + json.dumps(results)}
    assert [name for name, text in printed.items() if "canary-7Tm" in text] == []


HIDING = """\
- ansible.builtin.include_vars: {file: included.transit.yml}
- mlkeys.transit.load_vars: {file: "{{ item }}.transit.yml"}
  loop: [listed, included]
  ignore_errors: true
- mlkeys.transit.load_vars: {file: grouped.transit.yml}
  ignore_errors: true
- ansible.builtin.debug: {msg: "{{ grouped[-2:] }} {{ listed[-2:] }} {{ included[-2:] }}"}
- mlkeys.transit.load_vars: {file: included.transit.yml, name: kept}
"""


def test_a_variable_that_hides_what_is_loaded_is_named(bao: Bao, mount: str, project: Project) -> None:
    for name in ("grouped", "listed", "included"):
        project.write(f"{name}.transit.yml", vars_file(bao, mount, {name: CANARY["api key"]}))
    project.write("group_vars/all.yml", (project.folder / "grouped.transit.yml").read_text())
    project.hosts(1)
    project.play(HIDING, "vars_files: [listed.transit.yml]\n")
    for more, hidden in (((), ("listed", "included")), (("-e", "@grouped.transit.yml"), ("grouped",))):
        printed = project.run(*more).stdout
        [shown] = [message for message in messages(printed) if re.fullmatch(r"(\S\S ?){3}", message)]
        if SETS_VARIABLES and not more:
            assert shown == "Tm Tm Tm"
            continue
        for name in hidden:
            assert f"{name}.transit.yml: {name} would still be ciphertext" in printed
        # In group_vars, it is one that the loaded one hides.
        assert more or shown.startswith("Tm ")
