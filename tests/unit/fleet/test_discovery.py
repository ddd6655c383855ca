# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which encrypted vars files a project has: by variables, by names, and by key."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import (
    SIGNS,
    above,
    texts_beside,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller import project
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import beside
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.discovery import (
    Declared,
    FoundFile,
    declared,
    document_problem,
    missing_problem,
    missing_source_problem,
    of_key,
    replace_problem,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import SOURCES


def test_variables_of_all_hosts_declare_files_each_once() -> None:
    hosts: list[dict[str, Any]] = [
        {
            "inventory_hostname": "localhost",
            "vault_transit_vars_files": [
                {"path": "/a.transit.yml", "key": "k"},
                {"path": "/kv.transit.yml", "store": "kv", "kv_path": "x"},
                {"store": "kv", "kv_path": "ml/keys"},
            ],
        },
        {"inventory_hostname": "a", "vault_transit_host_vars_files": ["/a.transit.yml", "/b.transit.yml"]},
        {"inventory_hostname": "b"},
    ]
    found = declared(hosts, None).files
    assert [(one.path, one.place) for one in found] == [
        ("/a.transit.yml", ("", "")),
        ("/kv.transit.yml", ("", "")),
        ("", ("secret", "ml/keys")),
        ("/b.transit.yml", ("", "")),
    ]
    assert found[3].by == "vault_transit_host_vars_files of a"
    assert [one.path for one in declared(hosts, ["/c.transit.yml"]).files] == [
        "/c.transit.yml",
        "/a.transit.yml",
        "/b.transit.yml",
    ]


VARS_FILES, HOST_VARS_FILES = "vault_transit_vars_files", "vault_transit_host_vars_files"
AN_ENTRY = f"An entry of the variable {VARS_FILES} of a has"


def test_sources_of_any_host_are_searched() -> None:
    hosts: list[dict[str, Any]] = [
        {"inventory_hostname": "localhost", SOURCES: ["/srv/shared"], VARS_FILES: None},
        {"inventory_hostname": "a", SOURCES: ["/srv/shared", "/srv/more"]},
    ]
    found = declared(hosts, None)
    assert [(one.path, one.by) for one in found.sources] == [
        ("/srv/shared", "vault_transit_sources of localhost"),
        ("/srv/more", "vault_transit_sources of a"),
    ]
    assert found.problems == []


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        *(
            (name, value, f"The variable {name} of a must be a list of paths.")
            for name in (SOURCES, HOST_VARS_FILES)
            for value in ("/srv/shared", "", {"path": "/x"}, [""], [None], [["/x"]], 7, False)
        ),
        *(
            (VARS_FILES, value, f"The variable {VARS_FILES} of a must be a list of files, each with path.")
            for value in ("/x.transit.yml", {"path": "/x"}, ["/x.transit.yml"], [None])
        ),
        (
            VARS_FILES,
            [{"file": "/x", "key": "k"}],
            f"{AN_ENTRY} no path, only: file, key.",
        ),
        (VARS_FILES, [{"path": ""}], f"{AN_ENTRY} no path, only: path."),
        (VARS_FILES, [{"store": "kv"}], f"{AN_ENTRY} no kv_path, only: store."),
        (VARS_FILES, [{}], f"{AN_ENTRY} no path, only: nothing."),
        (
            SOURCES,
            "{{ no_such_variable }}",
            "The variable vault_transit_sources of a has an error, or uses a variable that is not defined.",
        ),
    ],
)
def test_a_variable_that_declares_nothing_that_can_be_read_is_named_once(
    variable: str, value: Any, problem: str
) -> None:
    hosts = [{"inventory_hostname": name, variable: value} for name in "ab"]
    assert declared(hosts, None).problems == [problem]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("vault_transit_source", SOURCES),
        ("vault_transit_sorces", SOURCES),
        *((f"vault_transit_{name}", VARS_FILES) for name in ("vars_file", "var_files", "varsfiles", "varfiles")),
        ("vault_transit_rotate_var_files", "vault_transit_rotate_vars_files"),
        ("vault_transit_status_vars_file", "vault_transit_status_vars_files"),
    ],
)
def test_a_misspelt_name_of_the_controller_is_named_once(name: str, meant: str) -> None:
    hosts = [{"inventory_hostname": one, name: ["/x"]} for one in ("localhost", "a")]
    assert declared(hosts, None).problems == [f"localhost: nothing reads its variable {name}. Did you mean '{meant}'?"]


def test_names_of_other_variables_are_not_corrected() -> None:
    names = [
        "vault_transit_vars_files_result",
        "vault_transit_secrets",
        "vault_transit_services",
        "vault_transit_files",
    ]
    assert declared([{"inventory_hostname": "a", **dict.fromkeys(names)}], None).problems == []


def test_a_message_about_missing_sources_names_path_and_variable() -> None:
    text = missing_source_problem([Declared("/srv/shard", "vault_transit_sources of localhost")])
    assert "do not exist: /srv/shard (vault_transit_sources of localhost)." in text


def test_a_message_about_missing_files_names_path_and_variable() -> None:
    text = missing_problem([Declared("/secret/keys.transit.yml", "vault_transit_vars_files of localhost")])
    assert "/secret/keys.transit.yml (vault_transit_vars_files of localhost)" in text


def file(path: str, *names: str, key: str = "k", backend: str = "transit") -> FoundFile:
    return FoundFile(path, backend, key, "", names, 1)


def test_files_are_those_of_the_key_in_its_engine() -> None:
    files = [file("/a"), file("/b", key="other"), file("/c", backend="ml"), file("/d", backend="/transit/")]
    assert [one.path for one in of_key(files, "transit", "k")] == ["/a", "/d"]


def test_a_secret_that_no_file_holds_cannot_be_replaced() -> None:
    files = [file("/a", "openai_api_key"), file("/b", "hf_token")]
    assert not replace_problem(files, ["hf_token", "openai_api_key"], "transit/k")
    text = replace_problem(files, ["hf_token", "openia_api_key"], "transit/k")
    assert "'openia_api_key'. Did you mean 'openai_api_key'?" in text
    assert "hf_token'" not in text


def test_in_a_file_that_nothing_writes_as_a_whole_nothing_is_replaced() -> None:
    files = [file("/a", "openai_api_key"), replace(file("/b", "hf_token"), mixed=True)]
    assert not replace_problem(files, ["openai_api_key"], "transit/k")
    assert "/b also holds values that are not encrypted" in replace_problem(files, ["hf_token"], "transit/k")


def test_a_document_that_nothing_rewraps_keeps_its_key_from_being_rotated() -> None:
    own = replace(file("", "hf_token"), document="kv/ml/keys")
    assert not document_problem([file("/a", "openai_api_key"), own, replace(own, document="", path="/b", mixed=True)])
    pointed = replace(own, path="/c", document="kv/ml/pointed", mixed=True)
    text = document_problem([replace(own, mixed=True), pointed])
    assert "nothing rewraps such a document: kv/ml/keys, kv/ml/pointed." in text
    assert "kv/ml/keys also holds" in replace_problem([replace(own, mixed=True)], ["hf_token"], "transit/k")


def test_files_are_found_beside_inventories_and_below_their_folders(tmp_path: Path) -> None:
    wanted = [
        "keys.transit.yml",
        "group_vars/all/keys.transit.yaml",
        "group_vars/gateways.transit.yml",
        "host_vars/a/deep/keys.transit.json",
        "roles/x/vars/keys.transit.yml",
        "vars/keys.transit.yml",
        "playbooks/group_vars/all/keys.transit.yml",
    ]
    for name in [*wanted, "files/keys.transit.yml", "group_vars/all/.keys.transit.yml", "group_vars/all/keys.yml"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "inventory.yml").write_text("")
    (tmp_path / "group_vars/all/loop").symlink_to(tmp_path / "group_vars")
    (tmp_path / "host_vars/linked.transit.yml").symlink_to(tmp_path / "keys.transit.yml")
    problems: list[OSError] = []
    for sources in ([str(tmp_path / "inventory.yml")], [str(tmp_path)], [str(tmp_path), "a,b,", str(tmp_path)]):
        found = [os.path.relpath(path, tmp_path) for path in beside(sources, problems.append)]
        assert sorted(found) == sorted(wanted)
    assert problems == []


def test_variables_beside_a_link_to_an_inventory_are_found_as_those_beside_the_inventory(tmp_path: Path) -> None:
    """Ansible reads those beside the link."""
    for name in ("real/group_vars/all/a.transit.yml", "project/group_vars/all/b.transit.yml", "real/hosts.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "project/hosts.yml").symlink_to("../real/hosts.yml")
    found = beside([str(tmp_path / "project/hosts.yml")], lambda _error: None)
    assert sorted(Path(path).name for path in found) == ["a.transit.yml", "b.transit.yml"]


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ([".git/HEAD", "group_vars/all.yml", "inventories/group_vars/x"], ["inventories", "."]),
        (["ansible.cfg"], ["inventories", "."]),
        (["group_vars/all.yml"], ["."]),
        (["inventories/galaxy.yml", ".git/HEAD", "host_vars/a"], ["inventories"]),
        (["inventories/prod/ansible.cfg", "group_vars/all.yml"], []),
        *(([f"{sign}/x"], ["."]) for sign in SIGNS),
        (["tasks/x"], []),
    ],
)
def test_folders_of_the_project_above_an_inventory_are_searched(
    tmp_path: Path, marks: list[str], found: list[str]
) -> None:
    for name in ("inventories/prod/hosts.yml", *marks):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    for source in ("inventories/prod/hosts.yml", "inventories/prod"):
        assert [os.path.relpath(path, tmp_path) for path in above([str(tmp_path / source)])] == found
    assert above(["a,b,"]) == []


def test_a_folder_that_cannot_be_read_is_a_problem() -> None:
    # Root reads every folder, and nobody else reads those that pytest makes.
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place, "group_vars")
        folder.mkdir(mode=0o000)
        problems: list[OSError] = []
        os.seteuid(user or 65534)
        try:
            beside([place], problems.append)
        finally:
            os.seteuid(user)
            folder.chmod(0o700)
    assert [error.filename for error in problems] == [str(folder)]


def test_other_files_that_ansible_reads_are_texts_of_a_project(tmp_path: Path) -> None:
    kept = [
        *("hosts", "inventory.yml", "play.yml", ".env", "group_vars/all", "host_vars/a/more.yaml", "vars/x.json"),
        *("roles/r/templates/app.conf.j2", "roles/r/tasks/main.yml", "templates/.env.j2", "files/agent.hcl", "app.py"),
    ]
    kept += ["host_vars/web1.example.com", "files/start.sh", "files/app.tar.gz", "templates/.hid.j2", "vars/.d/x.yml"]
    kept += ["group_vars/all.d/keys.transit.yml.bak", ".hidden.yml", "x.log", "env.prod", "docs/a.yml"]
    kept += ["files/.git/config", "weights.bin", "playbooks/site.yml", "playbooks/group_vars/all"]
    # Those that are not read as variables, too.
    kept += ["keys.transit.yml", "group_vars/k.transit.json", "files/f.transit.yml", "group_vars/all.d/.h.transit.yml"]
    for name in kept:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    (tmp_path / "weights.bin").write_bytes(bytes(2 * 1024 * 1024))
    script = tmp_path / "docs" / "inventory.sh"
    script.write_text("x", encoding="utf-8")
    (tmp_path / "group_vars" / "up").symlink_to(tmp_path / "group_vars")
    noted: list[OSError] = []
    found = texts_beside([str(tmp_path), str(script), "a,b,"], noted.append)
    assert sorted(found) == sorted(str(tmp_path / name) for name in (*kept, "docs/inventory.sh"))
    assert noted == []


def test_links_to_nothing_and_histories_in_a_project_are_named(tmp_path: Path) -> None:
    for name in ("files/.git/HEAD", "files/.git/objects/aa/bb", "files/.git/refs/heads/main", "files/objects/x.yml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    for name in ("top.yml", "files/inner.yml"):
        (tmp_path / name).symlink_to("/unmounted/x")
    noted: list[OSError] = []
    found = texts_beside([str(tmp_path)], noted.append)
    assert sorted(os.path.relpath(path, tmp_path) for path in found) == [
        "files/.git/HEAD",
        "files/.git/refs/heads/main",
        "files/objects/x.yml",
    ]
    named = {os.path.relpath(one.filename, tmp_path): getattr(one, "kind", "") for one in noted}
    assert named == {"top.yml": "dangling", "files/inner.yml": "dangling", "files/.git/objects": "compressed"}


def test_the_log_of_this_run_is_named_and_not_searched(tmp_path: Path) -> None:
    """The output of this process and of those that started it, which a rotation would otherwise rewrite."""
    for name in ("run.log", "other.log"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    noted: list[OSError] = []
    kept = os.dup(1)
    with (tmp_path / "run.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        try:
            found = project.texts_beside([str(tmp_path)], noted.append)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
    assert found == [str(tmp_path / "other.log")]
    assert [(one.filename, getattr(one, "kind", "")) for one in noted] == [(str(tmp_path / "run.log"), "output")]
    assert len(project.texts_beside([str(tmp_path)], noted.append)) == len(list(tmp_path.iterdir()))
