# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, folders and links are written in one task, shown as they differ, and left alone when they are right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import ModuleResult, run_module
from tests.support.neighbour import as_root, give_rights

pytestmark = pytest.mark.usefixtures("both_ways")

NOBODY = "no-such-account"


def place(*files: dict[str, Any], check: bool = False) -> ModuleResult:
    return run_module("vault_transit_files", {"files": list(files)}, check=check)


def service(folder: Path) -> list[dict[str, Any]]:
    return [
        {"path": f"{folder}/app", "state": "directory", "mode": "0750"},
        {"path": f"{folder}/app/agent.hcl", "content": "a = 1\n", "mode": "0640"},
        {"path": f"{folder}/app/once", "state": "directory"},
        {"path": f"{folder}/link", "state": "link", "target": "app/agent.hcl"},
        {"path": f"{folder}/old", "state": "absent"},
    ]


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_folder_that_another_run_makes_meanwhile_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for two names of one host in an inventory, whose services have folders in common."""
    really = os.mkdir

    def beaten(*arguments: Any, **options: Any) -> None:
        really(*arguments, **options)
        really(*arguments, **options)

    monkeypatch.setattr(os, "mkdir", beaten)
    made = place({"path": f"{tmp_path}/app", "state": "directory", "mode": "0750"})
    assert made.changed
    assert mode(tmp_path / "app") == 0o750


def test_they_are_written_once_and_kept(tmp_path: Path) -> None:
    (tmp_path / "old" / "inner").mkdir(parents=True)
    (tmp_path / "old" / "inner" / "link").symlink_to(tmp_path)
    before = everything(tmp_path)
    predicted = place(*service(tmp_path), check=True)
    assert everything(tmp_path) == before
    done = place(*service(tmp_path))
    assert [one["changed"] for one in done["files"]] == [True] * 5
    assert (predicted["files"], predicted["diff"]) == (done["files"], done["diff"])
    assert (tmp_path / "app/agent.hcl").read_text() == "a = 1\n"
    assert [mode(tmp_path / name) for name in ("app", "app/agent.hcl", "app/once")] == [0o750, 0o640, 0o700]
    assert (tmp_path / "link").readlink() == Path("app/agent.hcl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "link"]
    before = everything(tmp_path)
    again = place(*service(tmp_path))
    assert (again.changed, again["diff"]) == (False, [])
    assert everything(tmp_path) == before


def test_the_difference_of_each_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    path.chmod(0o600)
    (tmp_path / "other").write_bytes(b"\xff")
    (tmp_path / "link").symlink_to("before")
    files: list[dict[str, Any]] = [
        {"path": str(path), "content": "new\n", "mode": "0644"},
        {"path": f"{tmp_path}/other", "content": "text"},
        {"path": f"{tmp_path}/link", "state": "link", "target": "after"},
        {"path": f"{tmp_path}/none", "state": "absent"},
    ]
    headers = {"before_header": str(path), "after_header": str(path)}
    other = {"before_header": f"{tmp_path}/other", "after_header": f"{tmp_path}/other"}
    link = f"{tmp_path}/link"
    for check in (True, False):
        assert place(*files, check=check)["diff"] == [
            {**headers, "before": "old\n", "after": "new\n"},
            {"before": {"path": str(path), "mode": "0600"}, "after": {"path": str(path), "mode": "0644"}},
            {**other, "dst_binary": True, "after": "text"},
            {"before": {"path": link, "target": "before"}, "after": {"path": link, "target": "after"}},
        ]
    assert (path.read_text(), mode(path)) == ("new\n", 0o644)
    assert (tmp_path / "link").readlink() == Path("after")


def test_attributes_alone_change_without_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir(mode=0o700)
    path = tmp_path / "app/agent.hcl"
    path.write_text("a = 1\n")
    path.chmod(0o600)
    inode = path.stat().st_ino
    done = place(*service(tmp_path)[:2])
    assert [one["changed"] for one in done["files"]] == [True, True]
    assert (mode(path), mode(path.parent), path.stat().st_ino) == (0o640, 0o750, inode)


def test_check_mode_knows_that_earlier_tasks_only_predicted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("same")
    path.chmod(0o600)
    given = {"path": str(path), "content": "same", "owner": NOBODY, "group": NOBODY}
    predicted = place(given, check=True)
    after = {"path": str(path), "owner": NOBODY, "group": NOBODY}
    assert predicted["diff"] == [{"before": {"path": str(path)}, "after": after}]
    assert f"There is no user '{NOBODY}' on this machine." in place(given).msg
    below = [{"path": f"{tmp_path}/none/{state}", "state": state} for state in ("file", "directory", "link")]
    below = [{**one, "content": "x", "target": "x"} for one in below]
    assert [one["changed"] for one in place(*below, check=True)["files"]] == [True] * 3


ABSENT = "cannot be written: its folder FOLDER/none does not exist. Create it."


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"path": "FOLDER/none/file", "content": ""}, "The folder FOLDER/none does not exist"),
        ({"path": "FOLDER/none/made", "state": "directory"}, f"FOLDER/none/made {ABSENT}"),
        ({"path": "FOLDER/none/link", "state": "link", "target": "x"}, f"FOLDER/none/link {ABSENT}"),
        ({"path": "FOLDER/folder", "content": ""}, "FOLDER/folder: Is a directory"),
        ({"path": "FOLDER/folder", "state": "link", "target": "x"}, "FOLDER/folder cannot be written"),
        ({"path": "FOLDER/first", "state": "directory"}, "FOLDER/first was left as it is: what is there"),
        ({"path": "FOLDER/x", "content": "", "owner": NOBODY}, f"There is no user '{NOBODY}'"),
    ],
)
def test_a_failure_names_the_place_and_says_that_earlier_ones_changed(
    tmp_path: Path, item: dict[str, Any], problem: str
) -> None:
    (tmp_path / "folder").mkdir()
    given = {**item, "path": item["path"].replace("FOLDER", str(tmp_path))}
    done = place({"path": f"{tmp_path}/first", "content": "x"}, given)
    assert done.failed
    assert problem.replace("FOLDER", str(tmp_path)) in done.msg
    assert done.changed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "folder"]


@pytest.mark.parametrize("state", ["file", "link"])
def test_what_a_state_needs_is_asked_for(tmp_path: Path, state: str) -> None:
    needed = {"file": "content", "link": "target"}[state]
    assert f"missing: {needed}" in place({"path": f"{tmp_path}/x", "state": state}).msg


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_are_set_and_links_of_others_are_not_followed(tmp_path: Path) -> None:
    place(
        {"path": f"{tmp_path}/app", "state": "directory", "owner": "1234", "group": "1235"},
        {"path": f"{tmp_path}/app/file", "content": "x", "owner": "1234", "group": "1235"},
    )
    for path in (tmp_path / "app", tmp_path / "app/file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)
    (tmp_path / "victim").mkdir()
    (tmp_path / "app/link").symlink_to(tmp_path / "victim")
    os.chown(tmp_path / "app/link", 1234, 1235, follow_symlinks=False)
    for item in (
        {"path": f"{tmp_path}/app/link", "state": "directory", "mode": "0777"},
        {"path": f"{tmp_path}/app/link/file", "content": "x"},
        {"path": f"{tmp_path}/app/link/made", "state": "directory"},
        {"path": f"{tmp_path}/app/link/made", "state": "link", "target": "x"},
        {"path": f"{tmp_path}/app/link/made", "state": "absent"},
    ):
        assert place(item).failed, item
    assert list((tmp_path / "victim").iterdir()) == []
    assert place({"path": f"{tmp_path}/app/link", "state": "absent"}).changed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "victim"]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of another user, who has renamed a folder of root in it."""
    (tmp_path / "theirs" / "root").mkdir(parents=True)
    (tmp_path / "theirs" / "root" / "key").write_text("key")
    os.chown(tmp_path / "theirs", 1234, 1235)
    return tmp_path / "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("given", [{"owner": "1234"}, {"group": "1235"}, {"mode": "0777"}])
@pytest.mark.parametrize("check", [False, True])
def test_a_folder_of_root_that_another_user_may_have_renamed_keeps_its_owner_and_mode(
    theirs: Path, given: dict[str, str], check: bool
) -> None:
    before = everything(theirs), (theirs / "root").stat()
    done = place({"path": f"{theirs}/root", "state": "directory", **given}, check=check)
    assert done.failed
    assert f"{theirs}/root was left as it is: it belongs to the user with ID 0, and may be another folder" in done.msg
    assert (everything(theirs), (theirs / "root").stat()) == before
    # What is right stays so, and what the user may give away as well is given away.
    assert not place({"path": f"{theirs}/root", "state": "directory", "owner": "root"}).failed
    os.chown(theirs / "root", 1234, 1235)
    assert place({"path": f"{theirs}/root", "state": "directory", "owner": "1236", "mode": "0750"}).changed
    assert ((theirs / "root").stat().st_uid, mode(theirs / "root")) == (1236, 0o750)


@as_root
@pytest.mark.parametrize("is_there", [False, True])
def test_the_owner_of_a_folder_opens_nothing_that_root_puts_below_it(theirs: Path, is_there: bool) -> None:
    give_rights(theirs, "default")
    theirs.chmod(0o2755)
    if is_there:
        (theirs / "app").mkdir()
        os.chown(theirs / "app", 1234, 1235)
        assert os.listxattr(theirs / "app")
    place(
        {"path": f"{theirs}/app", "state": "directory", "owner": "root", "group": "root", "mode": "0750"},
        {"path": f"{theirs}/app/m.env", "content": "KEY=1", "mode": "0640"},
        {"path": f"{theirs}/m.env", "content": "KEY=1", "mode": "0640"},
    )
    for made in ("app", "app/m.env", "m.env"):
        assert os.listxattr(theirs / made) == []
        assert (theirs / made).stat().st_gid == os.getegid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("uid", "is_changed"), [(0, True), (1234, False)])
def test_in_a_sticky_folder_all_keep_what_is_theirs(tmp_path: Path, uid: int, is_changed: bool) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "app").mkdir()
    os.chown(tmp_path / "app", uid, uid)
    assert place({"path": f"{tmp_path}/app", "state": "directory", "owner": "1236"}).failed is not is_changed
    assert (tmp_path / "app").stat().st_uid == (1236 if is_changed else uid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["empty", "root"])
def test_a_folder_in_the_place_of_the_new_one_is_not_given_away(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (theirs / "empty").mkdir()
    os.utime(theirs / "empty", (0, 0))
    make = os.mkdir

    def swapped(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        (theirs / path).rename(theirs / f"{path}.away")
        (theirs / name).rename(theirs / path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", swapped)
        done = place({"path": f"{theirs}/made", "state": "directory", "owner": "1234"})
    assert "was changed by somebody else meanwhile" in done.msg
    assert (theirs / "made").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("check", [False, True])
def test_a_tree_of_root_that_another_user_may_have_renamed_is_not_removed(theirs: Path, check: bool) -> None:
    before = everything(theirs)
    done = place({"path": f"{theirs}/root", "state": "absent"}, check=check)
    assert f"{theirs}/root was left as it is: it belongs to the user with ID 0, and may be another folder" in done.msg
    assert everything(theirs) == before
    # Who may rename a file may remove it, and an empty folder as well.
    (theirs / "root" / "key").rename(theirs / "key")
    gone = [{"path": f"{theirs}/{name}", "state": "absent"} for name in ("root", "key")]
    assert [one["changed"] for one in place(*gone, check=check)["files"]] == [True, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("check", [False, True])
def test_a_tree_of_root_is_not_removed_with_a_folder_above_it(theirs: Path, check: bool) -> None:
    (theirs / "old").mkdir()
    (theirs / "old" / "theirs").touch()
    (theirs / "root").rename(theirs / "old" / "root")
    for path in (theirs / "old", theirs / "old" / "theirs"):
        os.chown(path, theirs.stat().st_uid, -1)
    before = everything(theirs)
    wanted = {"path": f"{theirs}/old", "state": "absent"}
    assert f"{theirs}/old was left as it is: it belongs to the user with ID 0, and" in place(wanted, check=check).msg
    assert everything(theirs) == before
    (theirs / "old" / "root" / "key").unlink()
    assert place(wanted, check=check).changed


def test_missing_folders_above_a_folder_are_created_like_it(tmp_path: Path) -> None:
    made = {"path": f"{tmp_path}/a/b/c", "state": "directory", "parents": True, "mode": "0750"}
    predicted = place(made, check=True)
    assert list(tmp_path.iterdir()) == []
    done = place(made)
    assert (done.changed, done["diff"]) == (True, predicted["diff"])
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o750] * 3


def test_an_existing_folder_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("a")
    before = os.umask(0o027)
    try:
        done = place(*({"path": f"{tmp_path}/{name}", "state": "directory", "mode": "u+x"} for name in ("link", "new")))
    finally:
        os.umask(before)
    assert [one["changed"] for one in done["files"]] == [False, True]
    assert [mode(tmp_path / name) for name in ("a", "new")] == [0o700, 0o750]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("module", ["vault_transit_file", "vault_transit_files"])
def test_a_file_of_root_that_another_user_may_have_renamed_is_replaced_not_given_away(
    theirs: Path, module: str
) -> None:
    path = theirs / "app.env"
    path.write_text("text")
    path.chmod(0o600)
    given = {"path": str(path), "content": "text", "owner": "1234", "mode": "0600"}
    with path.open() as held:
        done = run_module(module, {"files": [given]} if module == "vault_transit_files" else given)
        assert done.changed
        assert os.fstat(held.fileno()).st_uid == 0
    assert (path.read_text(), path.stat().st_uid) == ("text", 1234)


def test_a_tree_of_any_depth_is_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    here = os.open(tmp_path, os.O_RDONLY)
    for name in ("tree", *["d"] * 1500):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=inner))
        os.symlink(kept, "link", dir_fd=inner)
        os.close(here)
        here = inner
    os.close(here)
    assert place({"path": f"{tmp_path}/tree", "state": "absent"}).changed
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]
