# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Configurations of Ansible with which encrypted variables stay ciphertext: found by lint, corrected by init."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands.doctor.variables import check, encrypted_files, loaded_as_they_are
from mlkeys._lint.enabled import setting_in, with_plugin
from mlkeys._shared.vars_plugins import PLUGIN, problem
from tests.cdk.lint.linting import git, lint, listed, written

SEALED = "vault:v1:5ZfQm1ab3WHDOjf7mq6+5ZfQm1ab3WHDOjf7mq6="
VARS = f"a: {SEALED}\n_transit:\n  format: 1\n  backend: transit\n  key: k\n  hmac:\n    a: {SEALED}\n"
ENABLED = "vars_plugins_enabled = "
RIGHT = f"[defaults]\n{ENABLED}host_group_vars,{PLUGIN}\n"


def cfg(value: str) -> str:
    return f"# ours\n[defaults]\nforks = 5\nvars_plugins_enabled = {value}\n[ssh_connection]\npipelining = true\n"


@pytest.mark.parametrize(
    ("configuration", "found"),
    [
        (RIGHT, []),
        (cfg(f"{PLUGIN},host_group_vars"), ["MLK209 ansible.cfg:4"]),
        (cfg("host_group_vars,vault_transit"), ["MLK209 ansible.cfg:4"]),
        (cfg("host_group_vars"), ["MLK210 ansible.cfg:4"]),
        ("", ["MLK210 ansible.cfg:1"]),
        ("# mlkeys: allow\n[defaults]\n", []),
    ],
)
def test_the_setting_is_held_against_the_files(configuration: str, found: list[str]) -> None:
    written("group_vars/all/keys.transit.yml", VARS)
    assert listed("group_vars") == []
    written("ansible.cfg", configuration)
    assert listed("group_vars") == found
    written("other/keys.transit.yml", VARS)
    assert listed("other") == []


def test_a_name_that_the_plugin_does_not_read_is_found_where_it_is_enabled() -> None:
    written("group_vars/all/keys.yml", VARS)
    written("ansible.cfg", cfg("host_group_vars"))
    written("play.yml", "- hosts: all\n  roles: [mlkeys.transit.vault_transit_host]\n")
    assert listed() == ["MLK210 ansible.cfg:4"]
    written("ansible.cfg", RIGHT)
    assert listed() == ["MLK209 group_vars/all/keys.yml:1"]
    assert "does not end with .transit.yml" in lint(status=1).stdout


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("- hosts: all\n  roles: [mlkeys.transit.vault_transit_host]\n", "MLK210"),
        ("k: \"{{ lookup('mlkeys.transit.vault_transit_vars', 'f') }}\"\n", "MLK210"),
        ("k: '{{ loaded | mlkeys.transit.decrypt_vars }}'\n", "MLK210"),
        ("- mlkeys.transit.load_vars: {file: f}\n", "MLK210"),
        (
            "- mlkeys.transit.vault_transit_file: {path: /k, content: '{{ a | mlkeys.transit.quoted(\"json\") }}'}\n",
            "MLK209",
        ),
        ("- ansible.builtin.debug: {msg: '{{ a }}'}\n", "MLK209"),
    ],
)
def test_a_project_that_would_use_ciphertext_is_found(other: str, found: str) -> None:
    """Nothing decrypts its variables, and a run would write them as keys."""
    written("group_vars/all/keys.transit.yml", VARS)
    written("ansible.cfg", cfg("host_group_vars"))
    written("play.yml", other)
    assert listed() == [f"{found} ansible.cfg:4"]
    # Of a part it is not known.
    assert listed("group_vars", "play.yml") == ["MLK210 ansible.cfg:4"]
    lint(status=0 if found == "MLK210" else 1)


PLAY = "- hosts: all\n  tasks: [{ansible.builtin.debug: {msg: '{{ a }}'}}]\n"


@pytest.mark.parametrize("name", ["keys.transit.yml", "keys.yml"])
def test_a_project_without_a_configuration_is_held_against_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As `mlkeys doctor` does."""
    path = f"inventories/prod/group_vars/all/{name}"
    written(path, VARS)
    written("roles/a/tasks/main.yml", "- ansible.builtin.debug: {msg: '{{ a }}'}\n")
    assert listed() == [], "nothing runs"
    written("playbooks/site.yml", PLAY)
    assert listed() == listed(".") == [f"MLK209 {path}:1"]
    assert "no ansible.cfg lists" in lint(status=1).stdout
    assert listed("inventories/prod/group_vars", "playbooks") == [], "of a part it is not known"
    # What this machine adds counts, as for Ansible.
    written("elsewhere.cfg", RIGHT)
    monkeypatch.setenv("ANSIBLE_CONFIG", "elsewhere.cfg")
    assert listed() == []
    monkeypatch.setenv("ANSIBLE_VARS_ENABLED", "host_group_vars")
    assert listed() == [f"MLK209 {path}:1"]
    monkeypatch.setenv("ANSIBLE_VARS_ENABLED", f"host_group_vars,{PLUGIN}")
    assert listed() == []
    monkeypatch.delenv("ANSIBLE_VARS_ENABLED")
    monkeypatch.delenv("ANSIBLE_CONFIG")
    written("run.sh", f"export ANSIBLE_VARS_ENABLED=host_group_vars,{PLUGIN}\n")
    assert listed() == []
    Path("run.sh").unlink()
    written(path, f"# mlkeys: allow\n{VARS}")
    assert listed() == []


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("site.yml", "- hosts: all\n  vars_files: [v.transit.yml]\n", 2),
        ("site.yml", "- hosts: all\n  vars_files:\n    - plain.yml\n    - keys/v.yml\n", 2),
        ("site.yml", "- hosts: all\n  tasks:\n    - include_vars: v.transit.yml\n", 3),
        ("tasks/a.yml", "- ansible.builtin.include_vars:\n    file: x/v.transit.json\n    name: v\n", 1),
        ("roles/r/tasks/main.yml", "- include_vars: file=main.yml\n", 1),
        ("Makefile", "deploy:\n\tansible-playbook -e @v.transit.yml site.yml\n", 2),
        ("ci.yml", "script: ansible-playbook --extra-vars '@v.transit.yml' site.yml\n", 1),
        ("site.yml", "- hosts: all\n  tasks:\n    - include_vars: {dir: keys}\n", 3),
        ("site.yml", "- hosts: all\n  tasks:\n    - include_vars: '{{ item }}'\n      loop: [keys/v.yml]\n", 3),
        ("site.yml", "- hosts: all\n  vars_files: [keys/v.yml]\n  tasks: [{load_vars: {file: other.yml}}]\n", 2),
        ("site.yml", "- hosts: all\n  vars_files: [keys/v.yml]\n  tasks: [{load_vars: {file: keys/v.yml}}]\n", 0),
        ("site.yml", "- hosts: all\n  vars_files: [keys/v.yml]\n  tasks: [{load_vars: {file: '{{ x }}'}}]\n", 0),
        # What these load is another file, or only Ansible knows it.
        ("site.yml", "- hosts: all\n  vars_files: [plain.yml, '{{ x }}.transit.yml']\n", 0),
        ("README.md", "Do not use ansible-playbook -e @v.transit.yml.\n", 0),
        ("run.sh", "# ansible-playbook -e @v.transit.yml\n", 0),
        ("site.yml", "- hosts: all\n  vars_files: [v.transit.yml] # mlkeys: allow\n", 0),
    ],
)
def test_files_that_are_loaded_as_they_are(path: str, text: str, line: int) -> None:
    """The vars plugin decrypts what Ansible reads for hosts and groups, and nothing else."""
    written("ansible.cfg", RIGHT)
    written("keys/v.yml", VARS)
    written("roles/r/vars/main.yml", f"# mlkeys: allow\n{VARS}")
    written("plain.yml", "a: b\n")
    written(path, text)
    assert listed() == ([f"MLK211 {path}:{line}"] if line else [])
    found = [one.found for one in loaded_as_they_are(Path(), ["keys/v.yml", "roles/r/vars/main.yml"])]
    assert [one.partition(": ")[0] for one in found] == ([f"{path}:{line}"] if line else []), "doctor has the same rule"
    written("other.yml", "- ansible.builtin.debug: {msg: '{{ v | mlkeys.transit.decrypt_vars }}'}\n")
    assert listed() == []


LOADING = "- hosts: all\n  vars_files: [keys/v.yml]\n"
BOTH = ["one.yml:2", "two.yml:2"]


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("run.sh", "mlkeys run keys/v.yml -- ./start\n", BOTH),
        ("hosts.yml", "- hosts: all\n  roles: [mlkeys.transit.vault_transit_host]\n", BOTH),
        ("group_vars/all.yml", "vault_transit_vars_files: [{path: keys/v.yml, key: ml}]\n", BOTH),
        ("two.yml", f"{LOADING}  vars: {{v: '{{{{ k | mlkeys.transit.decrypt_vars }}}}'}}\n", BOTH[:1]),
        ("two.yml", f"{LOADING}  vars: {{v: \"{{{{ lookup('mlkeys.transit.vault_transit', a) }}}}\"}}\n", BOTH[:1]),
        ("group_vars/all.yml", "v: '{{ k | mlkeys.transit.decrypt_vars }}'\n", []),
    ],
)
def test_what_decrypts_other_files_says_nothing_of_loaded_ones(path: str, text: str, found: list[str]) -> None:
    written("ansible.cfg", RIGHT)
    written("keys/v.yml", VARS)
    for name in ("one.yml", "two.yml"):
        written(name, LOADING)
    written(path, text)
    assert [one for one in listed() if "MLK211" in one] == [f"MLK211 {one}" for one in found]
    said = [one.found.partition(": ")[0] for one in loaded_as_they_are(Path(), ["keys/v.yml"])]
    assert said == found, "doctor has the same rule"


def test_variables_of_a_role_are_loaded_as_they_are() -> None:
    written("ansible.cfg", RIGHT)
    for path in ("roles/r/defaults/main/keys.yml", "roles/r/vars/main.yml", "roles/r/files/main.yml"):
        written(path, VARS)
    assert listed() == ["MLK211 roles/r/defaults/main/keys.yml:1", "MLK211 roles/r/vars/main.yml:1"]


def test_a_configuration_outside_of_the_work_tree_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written("ansible.cfg", cfg(f"{PLUGIN},host_group_vars"))
    written("project/group_vars/all/keys.transit.yml", VARS)
    monkeypatch.chdir("project")
    git("init", "-q")
    assert listed(str(folder / "project")) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", RIGHT),
        ("[ssh_connection]\npipelining = true", f"[ssh_connection]\npipelining = true\n{RIGHT}"),
        ("[defaults]", RIGHT),
        (cfg("host_group_vars"), cfg(f"host_group_vars,{PLUGIN}")),
        (cfg(f"{PLUGIN}, host_group_vars"), cfg(f"host_group_vars,{PLUGIN}")),
        (cfg("a.b.c,vault_transit"), cfg(f"a.b.c,{PLUGIN}")),
        (cfg("host_group_vars,\n  a.b.c"), cfg(f"host_group_vars,a.b.c,{PLUGIN}")),
        (cfg(f"host_group_vars, {PLUGIN} ; both"), cfg(f"host_group_vars, {PLUGIN} ; both")),
        (cfg("host_group_vars ; ours"), cfg(f"host_group_vars,{PLUGIN} ; ours")),
        # To Ansible, this is a part of the name.
        (cfg(f"host_group_vars, {PLUGIN} # both"), cfg(f"host_group_vars,{PLUGIN} ; both")),
        (cfg("a.b ; one\n  ; two\n\n  c.d ; three"), cfg(f"a.b,c.d,{PLUGIN} ; one three\n  ; two\n")),
        (cfg("a.b\n# two"), cfg(f"a.b,{PLUGIN}\n# two")),
        (f"[DEFAULT]\n{ENABLED}a.b\n[defaults]\n", f"[DEFAULT]\n{ENABLED}a.b\n[defaults]\n{ENABLED}a.b,{PLUGIN}\n"),
        ("[defaults]\n  Vars_Plugins_Enabled: a.b\nx = 1\n", f"[defaults]\n{ENABLED}a.b,{PLUGIN}\nx = 1\n"),
        ("[defaults]\r\nx = 5\r\n", f"[defaults]\r\n{ENABLED}host_group_vars,{PLUGIN}\r\nx = 5\r\n"),
    ],
)
def test_the_plugin_is_enabled_and_all_else_stays(before: str, after: str) -> None:
    text = with_plugin(before)
    assert text == after
    assert with_plugin(text) == text
    assert not problem(setting_in(text).enabled)
    # As Ansible has it.
    read = configparser.ConfigParser(inline_comment_prefixes=(";",))
    read.read_string(text)
    assert read["defaults"]["vars_plugins_enabled"].split(",")[-1].strip() == PLUGIN


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("forks = 5\n[defaults]\n", "line 1 of it"),
        ("[defaults]\nforks = 5\nnothing\n", "line 3 of it"),
        ("[defaults]\nforks = 5\nforks = 6\n", "line 3 of it"),
        ("[defaults]\n[x]\n[defaults]\n", "line 3 of it"),
        ("\ufeff[defaults]\n", "line 1 of it"),
    ],
)
def test_what_ansible_cannot_read_is_not_changed_and_not_clean(text: str, where: str) -> None:
    path = written("ansible.cfg", text)
    written("group_vars/all/keys.transit.yml", VARS)
    assert f"Not checked: ansible.cfg: Ansible cannot read {where}" in lint("group_vars", status=2).stderr
    done = CliRunner().invoke(main, ["init", "--ansible"])
    assert (done.exit_code, path.read_text()) == (1, text)
    assert f"ansible.cfg is unchanged: Ansible cannot read {where}" in done.stderr


def test_init_enables_it_in_a_project_that_exists(folder: Path) -> None:
    written("site.yml", "")
    for wrote in (["ansible.cfg", ".gitattributes"], []):
        done = CliRunner().invoke(main, ["init", "--ansible", "--json"])
        assert (done.exit_code, json.loads(done.stdout)) == (0, {"folder": ".", "files": wrote, "misnamed": []})
    assert Path("ansible.cfg").read_text() == RIGHT
    assert sorted(path.name for path in folder.iterdir()) == [".gitattributes", "ansible.cfg", "site.yml"]
    assert "*.transit.yml merge=mlkeys\n" in Path(".gitattributes").read_text()
    assert "already" in CliRunner().invoke(main, ["init", "--ansible"]).stdout


def test_a_configuration_that_ansible_does_not_use_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that a runner with the umask 0 made, or with a variable of a CI job."""
    path = "group_vars/all/keys.transit.yml"
    written(path, VARS)
    written("ansible.cfg", RIGHT)
    written("site.yml", PLAY)

    def said(why: str, remedy: str) -> None:
        assert listed() == [f"MLK209 {path}:1"]
        assert why in lint(status=1).stdout
        done = CliRunner().invoke(main, ["init", "--ansible"])
        assert (done.exit_code, why in done.stderr, remedy in done.stderr) == (1, True, True)
        found = [*check(encrypted_files(Path()), [], "", list, lambda: ("", ""), lambda: True)]
        assert [(one.level, why in one.found, remedy in one.advice) for one in found] == [("wrong", True, True)]

    assert listed() == []
    folder.chmod(0o777)
    said("Ansible ignores ansible.cfg, because everybody may write its folder", "chmod o-w .")
    monkeypatch.setenv("ANSIBLE_CONFIG", "ansible.cfg")
    assert listed() == []
    monkeypatch.delenv("ANSIBLE_CONFIG")
    folder.chmod(0o755)
    assert listed() == []
    monkeypatch.setenv("ANSIBLE_VARS_ENABLED", "host_group_vars")
    said("ANSIBLE_VARS_ENABLED overrides ansible.cfg", "Unset ANSIBLE_VARS_ENABLED")


def test_init_says_what_stays_ciphertext_for_its_name() -> None:
    written("group_vars/all/keys.yml", VARS)
    written("group_vars/all/keys.transit.yml", VARS)
    done = CliRunner().invoke(main, ["init", "--ansible"])
    assert (done.exit_code, Path("ansible.cfg").read_text()) == (1, RIGHT)
    why = "not decrypted, because the name does not end with .transit.yml. Rename the file to NAME.transit.yml."
    assert done.stderr == f"group_vars/all/keys.yml: {why}\n"
