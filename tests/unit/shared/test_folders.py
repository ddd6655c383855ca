# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders are opened by paths, through links of root and of the caller alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import folders

ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


def place(path: Path | str) -> str:
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
    assert place(tree / path) == os.path.realpath(tree / path)
    monkeypatch.chdir(tree)
    assert place(path) == os.path.realpath(tree / path)
    monkeypatch.chdir(tree / "to-a" / "b")
    assert place(f"../../{path}") == os.path.realpath(tree / path)


def test_a_whole_folder(tree: Path) -> None:
    with folders.folder_at(str(tree / "a" / "absolute")) as folder:
        assert folder.path == str(tree / "a" / "b")
        assert os.fstat(folder.descriptor).st_ino == (tree / "a" / "b").stat().st_ino


@pytest.mark.parametrize(("path", "error"), [("none/x", FileNotFoundError), ("a/file/x", NotADirectoryError)])
def test_what_is_not_a_folder(tree: Path, path: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        place(tree / path)


@pytest.mark.parametrize("path", ["/", "/..", "."])
def test_a_path_that_names_no_file(path: str) -> None:
    with pytest.raises(IsADirectoryError):
        place(path)


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        place(tmp_path / "one" / "x")


def test_no_descriptor_stays_open(tree: Path) -> None:
    before = descriptors()
    for path in ("a/absolute/x", "none/x", "a/file/x", "a/b/.."):
        try:
            place(tree / path)
        except OSError:
            continue
    assert descriptors() == before


@as_root
@pytest.mark.parametrize("path", ["to-a/file", "a/to-file", "a/dangling", "a/absolute/x"])
def test_links_of_others_are_not_followed(tree: Path, path: str) -> None:
    for link in ("to-a", "a/to-file", "a/dangling", "a/absolute"):
        os.chown(tree / link, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(folders.UnsafeLink, match=f"is a link of the user with ID {ANOTHER}, and is not followed"):
        place(tree / path)


@as_root
def test_a_second_name_of_a_trusted_link_is_not_followed_in_a_folder_of_others(tree: Path) -> None:
    os.link(tree / "to-a", tree / "a" / "b" / "copy", follow_symlinks=False)
    os.link(tree / "to-a", tree / "a" / "copy", follow_symlinks=False)
    os.chown(tree / "a" / "b", ANOTHER, ANOTHER)
    with pytest.raises(folders.UnsafeLink):
        place(tree / "a" / "b" / "copy")
    assert place(tree / "a" / "copy") == str(tree / "a" / "a")


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
        held = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(folders.Busy), folder.locked():
            pass
        os.close(held)
        with folder.locked():
            pass
