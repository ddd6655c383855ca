# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The folder for plaintext while an editor is open, where other users may rename things."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkeys._errors import MlkeysError
from mlkeys._system import private_folder

ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in one that all may write to, and that is sticky: those above `tmp_path` are nobody else's."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@as_root
@pytest.mark.parametrize("below", [".", "ours"])
def test_a_place_that_another_user_may_rename_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.setattr(private_folder, "is_in_memory", lambda _folder: True)
    (place / "ours").mkdir()
    parent = place / below
    with private_folder.private_folder(parent) as folder:
        assert folder.parent == parent
    assert private_folder.folder_in_memory({"XDG_RUNTIME_DIR": str(parent)}) == parent
    os.chown(place, ANOTHER, ANOTHER)
    with pytest.raises(MlkeysError, match="another user may rename"), private_folder.private_folder(parent):
        pytest.fail("made")
    assert private_folder.folder_in_memory({"XDG_RUNTIME_DIR": str(parent)}) == Path("/dev/shm")  # noqa: S108


@as_root
def test_a_link_of_another_user_is_not_followed(place: Path) -> None:
    (place / "link").symlink_to(place)
    os.chown(place / "link", ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(MlkeysError, match="is not followed"), private_folder.private_folder(place / "link"):
        pytest.fail("made")


def test_only_the_folder_itself_is_wiped(place: Path) -> None:
    parent = place / "parent"
    parent.mkdir()
    precious = place / "precious"
    precious.write_text("kept")
    with private_folder.private_folder(parent) as folder:
        (folder / "in").mkdir()
        (folder / "in" / "secret").write_text("plain")
        (folder / "in" / "link").symlink_to(precious)
        os.link(folder / "in" / "secret", place / "seen")
        moved = parent / "moved"
        folder.rename(moved)
        folder.symlink_to(place, target_is_directory=True)
    assert precious.read_text() == "kept"
    assert (place / "seen").read_bytes() == b"\0" * 5


@pytest.mark.parametrize(("mode", "wiped"), [(0o700, True), (0o777, False)])
def test_only_private_folders_that_were_left_are_wiped(place: Path, mode: int, wiped: bool) -> None:
    left = place / "mlkeys-edit-left"
    left.mkdir()
    left.chmod(mode)
    (left / "file").write_text("text")
    os.link(left / "file", place / "seen")
    (place / "mlkeys-edit-link").symlink_to(left)
    with private_folder.private_folder(place):
        assert left.exists() is not wiped
        assert (place / "seen").read_text() == ("\0" * 4 if wiped else "text")
