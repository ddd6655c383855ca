# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vars plugin keeps of a folder from one host to the next, and when it looks again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import PromptVaultSecret, VaultLib
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller import repository
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ansible_vault import VaultedFiles
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import (
    Below,
    configured_folders,
    inventory_folders,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.repository import (
    PACKED,
    Known,
    others_in,
    read_by_others,
    searched_as_a_whole,
)

CIPHERTEXT = "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="
UNLOCKED = VaultedFiles(DataLoader())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody has changed for a while, with another one in it that a link leads to."""
    made = tmp_path / "web"
    (tmp_path / "elsewhere" / "inner").mkdir(parents=True)
    made.mkdir()
    (made / "linked").symlink_to(tmp_path / "elsewhere")
    for path in (made / "a.transit.yml", tmp_path / "elsewhere" / "inner" / "b.transit.yml"):
        path.touch()
    for path in (made, tmp_path / "elsewhere", tmp_path / "elsewhere" / "inner"):
        os.utime(path, (1, 1))
    return made


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were walked."""
    walked: list[str] = []
    real = vars_places.below

    def counting(folder: str, places: set[str] | None = None) -> list[str]:
        walked.append(folder)
        return real(folder, places=places)

    monkeypatch.setattr(vars_places, "below", counting)
    return walked


def test_a_folder_that_stays_the_same_is_walked_once(folder: Path, walks: list[str]) -> None:
    known = Below()
    names = [[path[len(str(folder)) :] for path in known.of(str(folder))] for _time in range(3)]
    assert names == [["/a.transit.yml", "/linked/inner/b.transit.yml"]] * 3
    assert len(walks) == 1


@pytest.mark.parametrize("place", [".", "linked", "linked/inner"])
def test_a_change_in_any_folder_is_seen(folder: Path, place: str) -> None:
    known = Below()
    known.of(str(folder))
    (folder / place / "new.transit.yml").touch()
    assert str(folder / place / "new.transit.yml") in known.of(str(folder))


def test_a_folder_that_was_just_changed_is_walked_again(folder: Path, walks: list[str]) -> None:
    (folder / "new.transit.yml").touch()
    known = Below()
    for _time in range(2):
        known.of(str(folder))
    assert len(walks) == 2


def test_a_link_that_leads_elsewhere_is_followed_again(folder: Path, tmp_path: Path) -> None:
    known = Below()
    assert len(known.of(str(folder))) == 2
    (tmp_path / "other").mkdir()
    (folder / "linked").unlink()
    (folder / "linked").symlink_to(tmp_path / "other")
    assert known.of(str(folder)) == [str(folder / "a.transit.yml")]


def test_a_folder_that_goes_has_no_files(tmp_path: Path) -> None:
    known = Below()
    assert known.of(str(tmp_path / "no")) == []


def test_a_repository_is_searched_but_for_what_tools_made(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    named = ("inventories/prod", "inventories/stage", "secrets")
    read = (".cache/own", ".secrets", "cache", "site-packages", "tool", "venv")
    made = (".nox", "node_modules", "environment", "stamped", ".terraform/providers", "collection/tests")
    for name in (*named, *read, *made):
        (top / name).mkdir(parents=True)
        (top / name / "a.transit.yml").write_text("_transit: {format: 1, backend: transit, key: k}\n")
    (top / "tool" / ".git").touch()
    (top / "environment" / "pyvenv.cfg").touch()
    (top / "collection" / "FILES.json").write_text("{}")
    (top / "stamped" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (top / "cache" / "CACHEDIR.TAG").touch()
    (top / "b.txt").touch()
    inventory = str(top / "inventories" / "prod" / "hosts.yml")
    assert searched_as_a_whole([inventory, str(top / "secrets")]) == [str(top)]
    problems: list[OSError] = []
    found = others_in(str(top), (), UNLOCKED, problems.append)
    assert found.texts == []
    assert list(found.vars_files) == [str(top / name / "a.transit.yml") for name in sorted((*named, *read))]
    assert problems == []
    assert inventory_folders(str(top / "inventories")) == [
        str(top / "inventories" / name) for name in ("prod", "stage")
    ]
    assert inventory_folders(inventory) == []


def test_a_vars_file_without_the_name_of_a_key_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "by_hand.transit.yml").write_text(f"api_key: {CIPHERTEXT}\n")
    (tmp_path / "broken.transit.yml").write_text(f"<<<<<<< HEAD\napi_key: {CIPHERTEXT}\n=======\n>>>>>>> b\n")
    (tmp_path / "half.transit.yml").write_text(f"api_key: {CIPHERTEXT}\n_transit: {{format: 1, key: k, hmac: {{}}}}\n")
    (tmp_path / "plain.transit.yml").write_text("port: 80\n")
    problems: list[OSError] = []
    found = others_in(str(tmp_path), (), UNLOCKED, problems.append)
    assert found.vars_files == {}
    assert found.texts == [str(tmp_path / f"{name}.transit.yml") for name in ("broken", "by_hand", "half")]
    assert [one.filename for one in problems] == [str(tmp_path / "broken.transit.yml")]


def test_what_ansible_vault_encrypted_is_searched_and_not_left_in_silence(tmp_path: Path) -> None:
    secret = PromptVaultSecret(b"pw")
    loader = DataLoader()
    loader.set_vault_secrets([("default", secret)])
    encrypted = {
        name: VaultLib().encrypt(text, one).decode()
        for name, text, one in (
            ("ours", f"api_key: {CIPHERTEXT}\n", secret),
            ("plain", "api_key: hello\n", secret),
            ("theirs", f"api_key: {CIPHERTEXT}\n", PromptVaultSecret(b"other")),
        )
    }
    for name, text in encrypted.items():
        (tmp_path / f"{name}.yml").write_text(text)
        inline = text.replace("\n", "\n          ")
        (tmp_path / f"{name}_inline.yml").write_text(f"port: 80\nkey: !vault |\n          {inline}\nlast: 1\n")
        (tmp_path / f"{name}.json").write_text(json.dumps({"__ansible_vault": text}))
    (tmp_path / "docs.md").write_text("Files begin with `$ANSIBLE_VAULT;1.1;AES256`, and digits.\n")
    problems: list[OSError] = []
    assert others_in(str(tmp_path), (), VaultedFiles(loader), problems.append).texts == []
    found = {Path(one.filename).name: str(one.strerror) for one in problems}
    assert {name for name, reason in found.items() if "holds a ciphertext" in reason} == {
        *("ours.json", "ours.yml", "ours_inline.yml")
    }
    assert {name for name, reason in found.items() if "no vault secret" in reason} == {
        *("theirs.json", "theirs.yml", "theirs_inline.yml")
    }
    assert len(found) == len(problems) == 6
    problems.clear()
    others_in(str(tmp_path), (), UNLOCKED, problems.append)
    assert len([one for one in problems if "no vault secret" in str(one.strerror)]) == 9


def test_links_are_followed_and_what_is_not_followed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, beyond = tmp_path / "repository", tmp_path / "beyond"
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    for folder in (top / "in" / "side", beyond / "folder", tmp_path / "home" / "me"):
        folder.mkdir(parents=True)
    for file in (top / "in" / "a.env", beyond / "folder" / "b.env", beyond / "c.env"):
        file.write_text(f"API_KEY={CIPHERTEXT}\n")
    for name, target in {
        "again": top / "in",
        "in/a.link": top / "in" / "a.env",
        "in/side/loop": top,
        "deploy": beyond / "folder",
        "deploy_again": beyond / "folder",
        ".env": beyond / "c.env",
        "up": tmp_path,
        "home": tmp_path / "home" / "me",
        "kernel": Path("/proc/self"),
        "gone": tmp_path / "gone",
        "null": Path("/dev/null"),
        "self": top / "self",
    }.items():
        (top / name).symlink_to(target)
    problems: list[OSError] = []
    found = others_in(str(top), (), UNLOCKED, problems.append)
    texts = [top / "in" / "a.env", beyond / "folder" / "b.env", beyond / "c.env"]
    assert sorted(found.texts) == sorted(map(str, texts))
    assert {Path(one.filename).name: getattr(one, "kind", "") for one in problems} == {
        **dict.fromkeys(("home", "kernel", "self", "up"), "failed"),
        "gone": "dangling",
    }
    known = Known([str(top / "gone"), str(beyond / "c.env")], [str(top / "up"), str(beyond / "folder")])
    problems.clear()
    others = others_in(str(top), [known], UNLOCKED, problems.append)
    assert others.texts == [str(top / "in" / "a.env")]
    assert sorted(Path(one.filename).name for one in problems) == ["home", "kernel", "self"]


def test_files_with_ciphertexts_in_a_repository_are_found_unless_another_run_reads_them(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    for name in ("stage/group_vars/all.yml", "prod/group_vars/all.yml", "prod/hosts.yml", "docs/a.md", "state/x/b.env"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"api_key: {CIPHERTEXT}\n")
    (top / "plain.txt").write_text("nothing\n")
    (top / "linked.md").symlink_to(top / "docs" / "a.md")
    (top / "docs" / "packed.gz").write_bytes(b"\x1f\x8b\x08\0" + bytes(20))
    (top / "docs" / "wide.txt").write_text(CIPHERTEXT, encoding="utf-16")
    problems: list[OSError] = []
    known = [
        Known([str(top / "docs" / "a.md")], [str(top / "state")]),
        read_by_others([str(top / "prod" / "hosts.yml")]),
    ]
    found = others_in(str(top), known, UNLOCKED, problems.append)
    assert found.texts == [str(top / "docs" / "wide.txt"), str(top / "stage" / "group_vars" / "all.yml")]
    assert [getattr(one, "kind", "") for one in problems] == [PACKED]
    assert "packed.gz" in str(problems[0].strerror)


def test_without_a_repository_the_folders_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that hold much else: the home folder and what it is in, and those where everybody writes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    project = tmp_path / "home" / "me" / "project"
    for name in ("inventories/prod", "secrets", ".cache/work", "other/.git"):
        (project / name).mkdir(parents=True)
    (project / "secrets" / "keys.transit.yml").write_text("_transit: {format: 1, backend: transit, key: k}\n")
    inventory = project / "inventories" / "prod" / "hosts.yml"
    inventory.touch()
    (tmp_path / "home" / "me" / "hosts.yml").touch()
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    of_nobody = [tmp_path, tmp_path / "home", tmp_path / "home" / "me", tmp_path / "home" / "me" / "hosts.yml", shared]
    assert searched_as_a_whole([*map(str, of_nobody), "/", "/etc", "localhost,", str(project / "gone")]) == []
    given = [inventory, project, project / "secrets", project / ".cache" / "work", project / "other"]
    assert searched_as_a_whole(map(str, given)) == [str(project)]
    problems: list[OSError] = []
    found = others_in(str(project), (), UNLOCKED, problems.append)
    assert found.vars_files == {str(project / "secrets" / "keys.transit.yml"): ("transit", "k")}
    assert problems == []


def test_a_project_is_searched_also_with_the_collection_installed_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playbooks = tmp_path / "venv" / "mlkeys" / "transit" / "playbooks"
    for folder in (playbooks, tmp_path / ".git"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(repository, "PLAYBOOKS", str(playbooks))
    assert searched_as_a_whole([str(playbooks)]) == []
    assert searched_as_a_whole([str(playbooks), str(tmp_path)]) == [str(tmp_path)]


def test_folders_of_roles_are_searched_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As such, and not the repositories around them."""
    roles, project = tmp_path / "other" / "roles", tmp_path / "project"
    for folder in (roles, tmp_path / "other" / ".git", project):
        folder.mkdir(parents=True)
    monkeypatch.delenv("ANSIBLE_ROLES_PATH", raising=False)
    assert configured_folders() == []
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", f"{roles}:{tmp_path}/gone")
    assert configured_folders() == [str(roles), str(tmp_path / "gone")]
    assert searched_as_a_whole([str(project)], configured_folders()) == [str(project), str(roles)]


def test_a_project_begins_where_its_git_repository_does(tmp_path: Path) -> None:
    """A submodule is in another one, a worktree is in none."""
    sub, deep, tree = tmp_path / "inv", tmp_path / "inv" / "deep", tmp_path / "tree"
    for folder in (deep, tree, tmp_path / ".git" / "modules" / "inv", tmp_path / ".git" / "worktrees" / "tree"):
        folder.mkdir(parents=True)
    (tmp_path / ".git" / "worktrees" / "tree" / "commondir").write_text("../..\n")
    (sub / ".git").write_text("gitdir: ../.git/modules/inv\n")
    (deep / ".git").write_text(f"gitdir: {tmp_path}/.git/modules/inv/modules/deep\n")
    (tree / ".git").write_text(f"gitdir: {tmp_path}/.git/worktrees/tree\n")
    assert searched_as_a_whole([str(deep)]) == [str(tmp_path)]
    assert searched_as_a_whole([str(tree)]) == [str(tree)]
    assert vars_places.above([str(deep)]) == [str(sub), str(tmp_path)]
    assert vars_places.above([str(tree)]) == []
    (tmp_path / ".git").rename(tmp_path / "git")
    assert searched_as_a_whole([str(deep)]) == [str(sub)]


def test_a_repository_in_that_of_a_project_belongs_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inventories" / "prod"
    for folder in (outer / ".git", inner / ".git"):
        folder.mkdir(parents=True)
    assert searched_as_a_whole([str(inner)]) == [str(inner)]
    assert vars_places.above([str(inner)]) == []
    (outer / "site.yml").touch()
    assert searched_as_a_whole([str(inner)]) == [str(outer)]
    assert str(outer) in vars_places.above([str(inner)])
    monkeypatch.setenv("HOME", str(outer))
    assert searched_as_a_whole([str(inner)]) == [str(inner)]
    assert vars_places.above([str(inner)]) == []


@pytest.mark.parametrize("sign", ["ansible.cfg", "group_vars/all.yml", "roles/web/tasks/main.yml"])
def test_a_repository_in_a_project_that_is_none_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    project, inner = tmp_path / "home" / "project", tmp_path / "home" / "project" / "inventories"
    (inner / ".git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    hosts = inner / "hosts.yml"
    hosts.touch()
    assert vars_places.above([str(hosts)]) == []
    (project / sign).parent.mkdir(parents=True, exist_ok=True)
    (project / sign).touch()
    assert vars_places.above([str(hosts)]) == [str(project)]
    assert searched_as_a_whole([str(hosts), str(project)]) == [str(project)]
    # Repositories side by side are projects of their own.
    (project / sign.partition("/")[0] / ".git").mkdir() if "/" in sign else (project / sign).unlink()
    assert vars_places.above([str(hosts)]) == []
    # So is one in a home folder, whatever else that holds.
    (tmp_path / "home" / "site.yml").touch()
    assert vars_places.above([str(hosts)]) == []


def test_inventories_that_do_not_exist_are_named(tmp_path: Path) -> None:
    there = tmp_path / "hosts"
    there.touch()
    allowed = [str(there), str(tmp_path), "localhost,", "@controller_inventory", "/etc/ansible/hosts"]
    assert vars_places.missing_inventories(allowed) == ""
    gone = [str(tmp_path / "me@example" / "host"), "other.yml"]
    problem = vars_places.missing_inventories([*allowed, *gone])
    assert problem == f"Inventories do not exist: {gone[0]}, other.yml. Correct the path."
