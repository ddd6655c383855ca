# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vars plugin keeps of a folder from one host to the next, and when it looks again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import Below, inventory_folders
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.repository import (
    PACKED,
    Known,
    others_in,
    read_by_others,
    searched_as_a_whole,
)

CIPHERTEXT = "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="


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


def test_a_repository_is_searched_but_for_what_others_made(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    for name in ("secrets", "inventories/stage", ".nox", "node_modules", "tool", "environment", "inventories/prod"):
        (top / name).mkdir(parents=True)
        (top / name / "a.transit.yml").write_text("_transit: {format: 1, backend: transit, key: k}\n")
    (top / "tool" / ".git").touch()
    (top / "environment" / "pyvenv.cfg").touch()
    (top / "b.txt").touch()
    inventory = str(top / "inventories" / "prod" / "hosts.yml")
    assert searched_as_a_whole([inventory, str(top / "secrets")]) == [str(top)]
    problems: list[OSError] = []
    found = others_in(str(top), (), problems.append)
    assert found.texts == []
    assert list(found.vars_files) == [
        str(top / name / "a.transit.yml") for name in ("inventories/prod", "inventories/stage", "secrets")
    ]
    assert problems == []
    assert inventory_folders(str(top / "inventories")) == [
        str(top / "inventories" / name) for name in ("prod", "stage")
    ]
    assert inventory_folders(inventory) == []


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
    found = others_in(str(top), known, problems.append)
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
    hidden, repository = project / ".cache" / "work", project / "other"
    assert searched_as_a_whole(map(str, given)) == [str(project), str(hidden), str(repository)]
    problems: list[OSError] = []
    found = others_in(str(project), (), problems.append)
    assert found.vars_files == {str(project / "secrets" / "keys.transit.yml"): ("transit", "k")}
    assert problems == []


def test_inventories_that_do_not_exist_are_named(tmp_path: Path) -> None:
    there = tmp_path / "hosts"
    there.touch()
    allowed = [str(there), str(tmp_path), "localhost,", "@controller_inventory", "/etc/ansible/hosts"]
    assert vars_places.missing_inventories(allowed) == ""
    gone = [str(tmp_path / "me@example" / "host"), "other.yml"]
    problem = vars_places.missing_inventories([*allowed, *gone])
    assert problem == f"Inventories do not exist: {gone[0]}, other.yml. Correct the path."
