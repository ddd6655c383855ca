# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders are opened by paths, through links of root and of the caller alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders, locks

ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


def resolved(path: Path | str) -> str:
    with folders.opened(str(path)) as (folder, name):
        return str(Path(folder.path) / name)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_text("x")
    (tmp_path / "to-a").symlink_to("a")
    (tmp_path / "a" / "absolute").symlink_to(tmp_path / "to-a" / "b")
    (tmp_path / "a" / "to-file").symlink_to("./b/../file")
    (tmp_path / "a" / "dangling").symlink_to("b/none")
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        *("a/file", "a/none", "to-a/file", "a/b/../file", "to-a/b/../file", "a/absolute/x", "a/absolute/../file"),
        *("a//./file", "to-a/to-file", "a/dangling", "a/absolute"),
    ],
)
def test_a_path_leads_where_the_system_says(tree: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolved(tree / path) == os.path.realpath(tree / path)
    monkeypatch.chdir(tree)
    assert resolved(path) == os.path.realpath(tree / path)
    monkeypatch.chdir(tree / "to-a" / "b")
    assert resolved(f"../../{path}") == os.path.realpath(tree / path)


def test_a_whole_folder(tree: Path) -> None:
    with folders.folder_at(str(tree / "a" / "absolute")) as folder:
        assert folder.path == str(tree / "a" / "b")
        assert os.fstat(folder.descriptor).st_ino == (tree / "a" / "b").stat().st_ino


@pytest.mark.parametrize(("path", "error"), [("none/x", FileNotFoundError), ("a/file/x", NotADirectoryError)])
def test_what_is_not_a_folder(tree: Path, path: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        resolved(tree / path)


@pytest.mark.parametrize("path", ["/", "/..", "."])
def test_a_path_that_names_no_file(path: str) -> None:
    with pytest.raises(IsADirectoryError):
        resolved(path)


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        resolved(tmp_path / "one" / "x")


def test_no_descriptor_stays_open(tree: Path) -> None:
    before = descriptors()
    for path in ("a/absolute/x", "none/x", "a/file/x", "a/b/.."):
        try:
            resolved(tree / path)
        except OSError:
            continue
    assert descriptors() == before


@as_root
@pytest.mark.parametrize("path", ["to-a/file", "a/to-file", "a/dangling", "a/absolute/x"])
def test_links_of_others_are_not_followed(tree: Path, path: str) -> None:
    for link in ("to-a", "a/to-file", "a/dangling", "a/absolute"):
        os.chown(tree / link, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(folders.UnsafeLink, match=f"is a link of the user with ID {ANOTHER}, and is not followed"):
        resolved(tree / path)


@as_root
def test_a_second_name_of_a_trusted_link_is_not_followed_in_a_folder_of_others(tree: Path) -> None:
    os.link(tree / "to-a", tree / "a" / "b" / "copy", follow_symlinks=False)
    os.link(tree / "to-a", tree / "a" / "copy", follow_symlinks=False)
    os.chown(tree / "a" / "b", ANOTHER, ANOTHER)
    with pytest.raises(folders.UnsafeLink):
        resolved(tree / "a" / "b" / "copy")
    assert resolved(tree / "a" / "copy") == str(tree / "a" / "a")


@pytest.fixture
def theirs(tree: Path) -> Path:
    """A folder of another user, with what root made in it and the user moved."""
    theirs = tree / "theirs"
    (theirs / "releases" / "1").mkdir(parents=True)
    for folder in (theirs, theirs / "releases", theirs / "releases" / "1"):
        os.chown(folder, ANOTHER, ANOTHER)
    (theirs / "of-root").mkdir()
    return theirs


@as_root
@pytest.mark.parametrize(
    "target", ["../a", "releases/../../a", "ABOVE/a", "ABOVE/theirs-too", "/", "..", "of-root/../../a"]
)
@pytest.mark.parametrize("place", [".", "of-root", "releases/1"])
def test_a_link_of_root_that_another_user_may_have_moved_leads_nowhere_else(
    tree: Path, theirs: Path, target: str, place: str
) -> None:
    depth = 0 if place == "." else len(Path(place).parts)
    upwards = target if target.startswith(("ABOVE", "/")) else "../" * depth + target
    (theirs / place / "moved").symlink_to(upwards.replace("ABOVE", str(tree)))
    for path in ("moved", "moved/x", "moved/b/x"):
        with pytest.raises(
            folders.UnsafeLink,
            match=f"/moved is a link that leads out of {theirs}, to which the user with ID {ANOTHER} may write, and is",
        ):
            resolved(theirs / place / path)


@as_root
@pytest.mark.parametrize("target", ["releases/1", "./releases/../releases/1", "HERE/releases/1", "of-root"])
def test_a_link_of_root_within_the_tree_of_another_user_is_followed(theirs: Path, target: str) -> None:
    (theirs / "current").symlink_to(target.replace("HERE", str(theirs)))
    (theirs / "releases" / "1" / "newest").symlink_to("../../current")
    (theirs / "releases" / "1" / "absolute").symlink_to(theirs / "current")
    for path in ("current/x", "releases/1/newest/x", "releases/1/absolute/x"):
        assert resolved(theirs / path) == os.path.realpath(theirs / path)


@as_root
def test_a_path_may_be_left_by_dots_as_long_as_no_link_was_on_it(tree: Path, theirs: Path) -> None:
    (theirs / "current").symlink_to("releases/1")
    assert resolved(theirs / "releases" / ".." / ".." / "a" / "file") == str(tree / "a" / "file")
    with pytest.raises(folders.UnsafeLink):
        resolved(f"{theirs}/current/../../../a/file")


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "words"),
    [
        (0, 0o1777, "others"),
        (0, 0o777, "others"),
        (0, 0o775, "others"),
        (ANOTHER, 0o755, f"the user with ID {ANOTHER}"),
    ],
)
def test_anyone_who_may_write_to_a_folder_may_have_moved_a_link_into_it(
    tree: Path, owner: int, mode: int, words: str
) -> None:
    shared = tree / "shared"
    shared.mkdir()
    os.chown(shared, owner, owner)
    shared.chmod(mode)
    (shared / "moved").symlink_to("../a")
    with pytest.raises(folders.UnsafeLink, match=f"leads out of {shared}, to which {words} may write"):
        resolved(shared / "moved" / "x")


@as_root
@pytest.mark.parametrize(("mode", "is_followed"), [(0o1777, True), (0o777, False)])
def test_nobody_moves_a_folder_of_root_in_a_sticky_one(tree: Path, mode: int, is_followed: bool) -> None:
    shared = tree / "shared"
    (shared / "of-root").mkdir(parents=True)
    shared.chmod(mode)
    (shared / "of-root" / "link").symlink_to("../../a")
    if is_followed:
        assert resolved(shared / "of-root" / "link" / "file") == str(tree / "a" / "file")
    else:
        with pytest.raises(folders.UnsafeLink):
            resolved(shared / "of-root" / "link" / "file")


@as_root
def test_each_user_has_a_tree_of_their_own(theirs: Path) -> None:
    inner = theirs / "releases" / "1"
    for uid, mode in ((ANOTHER + 1, 0o755), (ANOTHER, 0o777)):
        os.chown(inner, uid, uid)
        inner.chmod(mode)
        (inner / f"moved-{uid}").symlink_to("..")
        with pytest.raises(folders.UnsafeLink, match=f"leads out of {inner}"):
            resolved(inner / f"moved-{uid}" / "x")


@as_root
def test_a_folder_that_is_moved_meanwhile_leads_back_to_where_it_was(
    tree: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "releases" / "1" / "back").symlink_to("../x")
    (tree / "b").mkdir()
    link_target = folders._link_target

    def moving(folder: folders.Folder, name: str, *, only_read: bool = False) -> str | None:
        found = link_target(folder, name, only_read=only_read)
        if name == "back":
            (theirs / "releases" / "1").rename(tree / "b" / "1")
        return found

    monkeypatch.setattr(folders, "_link_target", moving)
    assert resolved(theirs / "releases" / "1" / "back") == str(theirs / "releases" / "x")


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "is_ours"),
    [(0, 0o755, True), (0, 0o775, False), (0, 0o1777, False), (ANOTHER, 0o700, False)],
)
def test_whose_a_folder_is_for_root(tmp_path: Path, owner: int, mode: int, is_ours: bool) -> None:
    os.chown(tmp_path, owner, owner)
    tmp_path.chmod(mode)
    with folders.folder_at(str(tmp_path)) as folder:
        assert folder.is_ours is is_ours


def test_one_run_waits_for_the_other_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_PATIENCE_SECONDS", 0.1)
    with folders.folder_at(str(tmp_path)) as folder:
        with folder.locked() as descriptor:
            assert descriptor is not None
            assert os.fstat(descriptor).st_ino == tmp_path.stat().st_ino
        with folders.folder_at(str(tmp_path)) as other, other.locked(), pytest.raises(locks.Busy), folder.locked():
            pass
        with folder.locked():
            pass


def test_who_may_read_a_folder_keeps_nobody_from_writing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_PATIENCE_SECONDS", 0.0)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with folders.folder_at(str(tmp_path)) as folder, folder.locked() as descriptor:
        assert descriptor is not None
    os.close(held)
