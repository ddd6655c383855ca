# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the ciphertexts of a file cannot be replaced is known before a rewrite."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Walk
from ansible_collections.mlkeys.transit.plugins.module_utils._module.obstacles import LINKED, Obstacles


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
