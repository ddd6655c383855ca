# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files that are replaced in one step, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlkeys import MlkeysError
from mlkeys._system import replacing


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
