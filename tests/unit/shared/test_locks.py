# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Locks between processes, in folders of which anybody may have made one first."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import locks


def test_a_lock_is_made_in_a_private_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid or 1)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = tmp_path / f"mlkeys-locks-{os.geteuid()}"
    os.chown(tmp_path, os.geteuid(), -1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, os.geteuid(), -1)
    place.symlink_to(elsewhere)
    with locks.exclusive("a"):
        assert list(elsewhere.iterdir()) == []
    place.unlink()
    place.mkdir()
    os.chown(place, os.geteuid(), -1)
    place.chmod(0o777)
    with locks.exclusive("a"):
        assert list(place.iterdir()) == []
    place.chmod(0o700)
    with locks.exclusive("a"):
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is given the variable of another user")
def test_root_uses_no_runtime_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, 12345, 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with locks.exclusive("a"):
        assert list(tmp_path.iterdir()) == []


def test_one_at_a_time_holds_a_lock_whose_file_is_gone_in_between() -> None:
    inside: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            with locks.exclusive(f"test {os.getpid()}"):
                inside.append(number)
                assert inside == [number]
                inside.remove(number)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(4))) == [None] * 4
