# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the ciphertexts of a file cannot be replaced is known before a rewrite."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Walk
from ansible_collections.mlkeys.transit.plugins.module_utils._module import obstacles
from ansible_collections.mlkeys.transit.plugins.module_utils._module.obstacles import (
    LINKED,
    MOUNTED,
    Obstacles,
    mount_points,
)


def test_a_folder_that_can_be_written_is_none(tmp_path: Path) -> None:
    assert Obstacles(Walk(())).of(f"{tmp_path}/a.env") == ""


@pytest.mark.parametrize("name", [".git", ".hg", ".svn"])
def test_in_folders_of_version_control_nothing_is_rewritten(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "deep" / "x"
    path.parent.mkdir(parents=True)
    assert f"it is in {name}" in Obstacles(Walk(())).of(str(path))


def test_other_names_are_an_obstacle_for_the_file_alone(tmp_path: Path) -> None:
    found = Obstacles(Walk((), linked={f"{tmp_path}/a.env": 1}))
    assert (found.of(f"{tmp_path}/a.env"), found.of(f"{tmp_path}/b.env")) == (LINKED, "")


def test_what_the_system_does_not_allow_has_its_words(tmp_path: Path) -> None:
    with mock.patch.object(os, "access", return_value=False):
        assert Obstacles(Walk(())).of(f"{tmp_path}/a.env") == "it cannot be written (Permission denied)"
        gone = Obstacles(Walk(())).of(f"{tmp_path}/gone/a.env")
    assert gone == "it cannot be written (No such file or directory)"


@pytest.mark.parametrize("attribute", ["i", "a"])
@pytest.mark.parametrize("name", ["a.env", "."])
def test_attributes_keep_even_root_from_replacing_a_file(tmp_path: Path, attribute: str, name: str) -> None:
    (tmp_path / "a.env").write_text("x")
    (tmp_path / "b.env").write_text("x")
    chattr = shutil.which("chattr") or "chattr"
    if not Path(chattr).is_file() or subprocess.run([chattr, f"+{attribute}", tmp_path / name], check=False).returncode:
        pytest.skip("this file system or user cannot set attributes")
    try:
        with pytest.raises(PermissionError):
            (tmp_path / "b.env").replace(tmp_path / "a.env")
        obstacles = Obstacles(Walk(()))
        found = [obstacles.of(str(tmp_path / other)) for other in ("a.env", "b.env")]
    finally:
        subprocess.run([chattr, f"-{attribute}", tmp_path / name], check=True)
    words = "it cannot be written (Operation not permitted)"
    assert found[0] in (words, "it cannot be written (Permission denied)")
    assert (found[0] == words) or name == "."
    assert bool(found[1]) is (name == ".")
    assert Obstacles(Walk(())).of(f"{tmp_path}/a.env") == ""


def test_in_a_folder_like_tmp_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("x")
    tmp_path.chmod(0o1777)
    with mock.patch.object(os, "geteuid", return_value=tmp_path.stat().st_uid + 1):
        assert Obstacles(Walk(())).of(f"{tmp_path}/a.env") == "it cannot be written (Operation not permitted)"
        tmp_path.chmod(0o777)
        assert Obstacles(Walk(())).of(f"{tmp_path}/a.env") == ""


def test_a_file_on_which_another_one_is_mounted_stays(tmp_path: Path) -> None:
    """It has the device and the inode of the other one: only the kernel's table shows that it is mounted."""
    for name in ("a.env", "b c.env"):
        (tmp_path / name).write_text("x")
    own = ["unshare", "--user", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
    script = 'cd "$1" && mount --bind a.env "b c.env" && cat /proc/self/mountinfo && mv new "b c.env"'
    (tmp_path / "new").write_text("y")
    try:
        run = subprocess.run([*own, "sh", "-c", script, "sh", tmp_path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if not run.stdout:
        pytest.skip("this user cannot mount")
    assert "Device or resource busy" in run.stderr
    (tmp_path / "table").write_text(run.stdout)
    mounted = mount_points(str(tmp_path / "table"))
    with mock.patch.object(obstacles, "mount_points", return_value=mounted):
        found = Obstacles(Walk(()))
    assert [found.of(f"{tmp_path}/{name}") for name in ("a.env", "b c.env")] == ["", MOUNTED]


def test_no_table_of_mounts_means_none(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    assert mount_points(str(table)) == frozenset()
    table.write_text("36 35 98:0 /a /srv/a\\040b.env rw - ext4 /dev/root rw\nbroken\n")
    assert mount_points(str(table)) == {"/srv/a b.env"}
