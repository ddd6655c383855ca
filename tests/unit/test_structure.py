# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of both source trees: no cycles, no crowded folders, no long files, no long functions."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from pathlib import Path

import pytest

from tests.support.collection import ROOT
from tests.support.imports import cycle, files_imported, parsed
from tests.support.order import SLOWEST, dealt

TREES = {"ansible_collections.mlkeys.transit.plugins": ROOT / "plugins", "mlkeys": ROOT / "src" / "mlkeys"}
#: Ansible sets the shape of these.
FLAT = {ROOT / "plugins" / name for name in ("modules", "action", "filter", "doc_fragments")}
MOST_FILES, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 15, 400, 50


def sources(tree: Path) -> list[Path]:
    """The files of a tree that are its own: examples and what the package shares are links."""
    return sorted(path for path in tree.rglob("*.py") if not path.is_symlink())


def modules(package: str, tree: Path) -> dict[str, Path]:
    """Files by the names that they are imported under."""
    named = {}
    for path in sources(tree):
        parts = path.relative_to(tree).with_suffix("").parts
        named[".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return named


@pytest.mark.parametrize("package", TREES)
def test_no_files_import_one_another(package: str) -> None:
    named = modules(package, TREES[package])
    graph = {path: files_imported(path, named) for path in named.values()}
    assert [str(path.relative_to(ROOT)) for path in cycle(graph)] == []


@pytest.mark.parametrize("package", TREES)
def test_no_folder_is_crowded(package: str) -> None:
    files = Counter(path.parent for path in sources(TREES[package]) if path.name != "__init__.py")
    crowded = {str(folder.relative_to(ROOT)): n for folder, n in files.items() if n > MOST_FILES and folder not in FLAT}
    assert crowded == {}


@pytest.mark.parametrize("package", TREES)
def test_no_file_is_long(package: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(TREES[package])}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MOST_LINES} == {}


@pytest.mark.parametrize("package", TREES)
def test_no_function_is_long(package: str) -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": lines
        for path in sources(TREES[package])
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_the_slowest_files_are_dealt_first_and_no_test_is_lost(request: pytest.FixtureRequest) -> None:
    assert [prefix for prefix in SLOWEST if not list((ROOT / "tests").glob(f"{prefix}*"))] == []
    items = request.session.items
    for workers in (2, 3, 5):
        order = dealt(items, workers)
        assert len(order) == len(items)
        assert {item.nodeid for item in order} == {item.nodeid for item in items}
        # A file's tests share what it sets up, so they follow one another, but where the list is cut.
        blocks = [path for path, _tests in itertools.groupby(item.path for item in order)]
        assert len(blocks) <= len(set(blocks)) + workers
