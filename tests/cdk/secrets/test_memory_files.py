# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Links to files in memory, and what they may take the place of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlkeys._errors import MlkeysError
from mlkeys._system.memory_files import link

TARGET = Path("/proc/self/fd/203")
ANOTHER = 12345


@pytest.mark.parametrize("name", ["gcp.json", "self/gcp.json"])
def test_a_link_of_an_earlier_run_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "self").symlink_to(tmp_path)
    link(tmp_path / name, TARGET)
    link(tmp_path / name, Path("/proc/self/fd/200"))
    assert (tmp_path / name).readlink() == Path("/proc/self/fd/200")


@pytest.mark.parametrize("target", ["/proc/self/fd/0", "/proc/self/fd/63", "/proc/self/fd/203/x", "/etc/passwd"])
def test_no_other_link_is_replaced(tmp_path: Path, target: str) -> None:
    (tmp_path / "stdin").symlink_to(target)
    with pytest.raises(MlkeysError, match="was not made by"):
        link(tmp_path / "stdin", TARGET)
    assert (tmp_path / "stdin").readlink() == Path(target)


def test_no_link_of_the_system_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    # If it fails, the machine keeps its link.
    monkeypatch.setattr(os, "unlink", lambda *_arguments, **_more: pytest.fail("unlinked"))
    monkeypatch.setattr(os, "readlink", lambda *_arguments, **_more: str(TARGET))
    with pytest.raises(MlkeysError, match="was not made by"):
        link(Path("/dev/stdin"), TARGET)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_links_of_others_are_neither_followed_nor_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "file").symlink_to(TARGET)
    for name in ("folder", "file"):
        os.chown(tmp_path / name, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(MlkeysError, match="is not followed"):
        link(tmp_path / "folder" / "gcp.json", TARGET)
    with pytest.raises(MlkeysError, match="was not made by"):
        link(tmp_path / "file", TARGET)
