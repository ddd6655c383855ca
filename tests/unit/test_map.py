# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The map in CONTRIBUTING.md names every folder of both source trees, what it may import, and where changes go."""

from __future__ import annotations

import re

import pytest

from tests.cdk.test_rooms import ROOMS as OF_PACKAGE
from tests.support.collection import ROOT
from tests.unit.test_plugin_rooms import ROOMS as OF_PLUGINS

MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TREES = {"plugins": OF_PLUGINS, "src/mlkeys": OF_PACKAGE}
#: Folders whose content are links and texts of others: the line of the folder speaks for those inside.
WHOLE = ("src/mlkeys/_carried", "src/mlkeys/_shared", "src/mlkeys/_templates")


def rows(head: str) -> list[list[str]]:
    """The cells of the table with such a head."""
    table = MAP.partition(f"| {head} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def folders(tree: str) -> set[str]:
    """The folders with files, as the map names them."""
    files = [path for path in (ROOT / tree).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    found = {path.parent.relative_to(ROOT).as_posix() for path in files} - {tree}
    inside = {name for name in found for whole in WHOLE if name.startswith(f"{whole}/")}
    return {name[len(tree) + 1 :] for name in found - inside}


@pytest.mark.parametrize("tree", TREES)
def test_each_folder_is_in_the_map(tree: str) -> None:
    named = [quoted(row[0])[0] for row in rows(f"`{tree}/`")]
    assert folders(tree) - set(named) - {"module_utils", "plugin_utils"} == set()
    assert [
        name for name in named if not ((ROOT / tree / name).is_dir() or (ROOT / tree / f"{name}.py").is_file())
    ] == []
    assert len(named) == len(set(named))


@pytest.mark.parametrize("tree", TREES)
def test_the_map_names_the_imports_that_the_tests_allow(tree: str) -> None:
    imports = {quoted(row[0])[0]: row[2] for row in rows(f"`{tree}/`")}
    rooms = TREES[tree]
    assert {name: set(quoted(cell)) for name, cell in imports.items() if name in rooms} == rooms
    # A subfolder may import what its room may.
    assert {cell for name, cell in imports.items() if name not in rooms} <= {"", "nothing"}


@pytest.mark.parametrize("row", rows("change"), ids=lambda row: row[0])
def test_a_change_starts_in_a_file_that_has_what_to_find(row: list[str]) -> None:
    (start,), (find,) = quoted(row[1]), quoted(row[2])
    assert find in (ROOT / start).read_text(encoding="utf-8")
    named = [name for name in quoted(row[3]) if "/" in name]
    assert [name for name in named if not (ROOT / name).exists()] == []
