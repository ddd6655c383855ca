# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files that are replaced in one step, or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkeys import MlkeysError
from mlkeys._devserver import state_folder
from mlkeys._shared._files import replacing as shared
from mlkeys._system import replacing, report_files
from tests.support.neighbour import ANOTHER, as_root


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    assert replacing.read(path) is None
    replacing.replace(path, "a: ü\r\n", None)
    assert replacing.read(path) == "a: ü\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_mode_owner_attributes_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "a.yml", tmp_path / "link.yml"
    path.write_text("old")
    path.chmod(0o2640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
        path.chmod(0o2640)
    os.setxattr(path, "user.note", b"kept")
    link.symlink_to("a.yml")
    before = path.stat()
    replacing.replace(link, "new", "old")
    after = path.stat()
    assert path.read_text() == "new"
    assert link.is_symlink()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.getxattr(path, "user.note") == b"kept"


@pytest.mark.parametrize("before", [None, "a"])
def test_nothing_is_written_that_cannot_be_read_again(
    tmp_path: Path, before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MOST_BYTES", 1 << 20)
    path = tmp_path / "a.yml"
    replacing.replace(path, "a" * (1 << 20), None)
    assert len(replacing.read(path) or "") == 1 << 20
    path.unlink()
    if before is not None:
        path.write_text(before)
    with pytest.raises(MlkeysError, match=r"a\.yml cannot be written: it would be larger than 1 MiB\. Put less into"):
        replacing.replace(path, "a" * (1 + (1 << 20)), before)
    assert replacing.read(path) == before
    assert list(tmp_path.iterdir()) == [path] * (before is not None)


@pytest.mark.parametrize("before", [None, "other"])
def test_a_file_that_was_changed_is_not_replaced(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "a.yml"
    path.write_text("theirs")
    with pytest.raises(replacing.ChangedMeanwhile, match="was changed in the meantime"):
        replacing.replace(path, "mine", before)
    assert path.read_text() == "theirs"
    path.unlink()
    with pytest.raises(replacing.ChangedMeanwhile):
        replacing.replace(path, "mine", "theirs")


@pytest.mark.parametrize("step", ["replace", "fsync", "fchmod"])
def test_a_write_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.yml"
    path.write_text("old")

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(MlkeysError, match=r"cannot be written \(No space left on device\)"):
        replacing.replace(path, "new", "old")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MlkeysError, match="Is a directory"):
        replacing.read(tmp_path)
    (tmp_path / "latin1").write_bytes(b"\xe9")
    with pytest.raises(MlkeysError, match="not UTF-8"):
        replacing.read(tmp_path / "latin1")


def test_a_file_of_a_few_blocks_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.touch()
    os.truncate(path, 1 << 42)
    with pytest.raises(MlkeysError, match=r"a\.yml: it is larger than 64 MiB"):
        replacing.read(path)
    with pytest.raises(MlkeysError, match="larger than 64 MiB"):
        replacing.replace(path, "new", "old")


def test_a_pipe_or_a_device_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(MlkeysError, match="it is not a regular file"):
            replacing.read(tmp_path / name)
    with pytest.raises(MlkeysError, match="Input/output error"):
        replacing.read(Path("/proc/self/mem"))
    # What a shell passes as a file is read.
    reading, writing = os.pipe()
    os.write(writing, b"given")
    os.close(writing)
    try:
        assert replacing.read(Path(f"/dev/fd/{reading}")) == "given"
    finally:
        os.close(reading)


def test_an_output_file_follows_the_umask_and_keeps_the_mode_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    before = os.umask(0o027)
    try:
        replacing.write(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        replacing.make_folder(tmp_path / "a/b", 0o700)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o750, 0o700]
    path.chmod(0o604)
    replacing.write(path, "newer")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o604)


@as_root
@pytest.mark.parametrize(
    "act",
    [
        lambda path: replacing.make_folder(path.with_name("new")),
        replacing.remove,
        lambda path: replacing.remove_folder(path.with_name("inner")),
        lambda path: replacing.rename(path, path.with_name("b")),
        lambda path: replacing.rename(path.parent.parent / "mine", path),
    ],
)
def test_nothing_is_made_moved_or_removed_behind_a_link_of_somebody_else(
    tmp_path: Path, act: Callable[[Path], None]
) -> None:
    (tmp_path / "victim" / "inner").mkdir(parents=True)
    (tmp_path / "victim" / "a").write_text("theirs")
    (tmp_path / "mine").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to("victim")
    os.chown(link, ANOTHER, ANOTHER, follow_symlinks=False)
    os.chown(tmp_path, ANOTHER, ANOTHER)
    with pytest.raises(OSError, match=f"is a link of the user with ID {ANOTHER}, and is not followed"):
        act(link / "a")
    assert sorted(path.name for path in (tmp_path / "victim").iterdir()) == ["a", "inner"]
    assert (tmp_path / "victim" / "a").read_text() == "theirs"


def test_files_and_folders_are_moved_and_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").touch()
    replacing.rename(tmp_path / "c", tmp_path / "a" / "d")
    replacing.remove(tmp_path / "a" / "d")
    replacing.remove(tmp_path / "a" / "d")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    replacing.remove_folder(tmp_path / "a")
    replacing.remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@as_root
def test_an_output_file_is_not_written_through_a_link_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").write_text("victim")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", ANOTHER, ANOTHER)
    for name, target in (("file", "../victim/file"), ("new", "../victim/new"), ("folder", "../victim")):
        (tmp_path / "theirs" / name).symlink_to(target)
        os.chown(tmp_path / "theirs" / name, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(OSError, match="is a link of the user with ID"):
        replacing.write(tmp_path / "theirs/file", "new")
    with pytest.raises(MlkeysError, match="is a link of the user with ID"):
        report_files.write(tmp_path / "theirs/new", "new")
    with pytest.raises(OSError, match="is a link of the user with ID"):
        replacing.make_folder(tmp_path / "theirs/folder/made")
    with (
        pytest.raises(MlkeysError, match="is a link of the user with ID"),
        state_folder.locked(tmp_path / "theirs/folder"),
    ):
        pass
    assert [path.name for path in (tmp_path / "victim").iterdir()] == ["file"]
    assert (tmp_path / "victim/file").read_text() == "victim"


@as_root
def test_another_user_names_no_process_to_stop(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "pid").write_text("123456789")
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.chown(state, ANOTHER, ANOTHER)
        with pytest.raises(MlkeysError, match="belongs to another user, or others may write to it"):
            state_folder.stop_detached(state)
