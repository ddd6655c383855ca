# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What source files import, read from their text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _names(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield _absolute(node, path)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "library":
        # How plugins import what may be missing: `library("hvac")`.
        yield from (str(name.value) for name in node.args if isinstance(name, ast.Constant))


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """The full name of the module. Only files that two packages share name a neighbour by a relative import."""
    if node.level == 0:
        return node.module or ""
    assert node.level == 1, f"{path}: imports are absolute"
    assert "_shared" in path.parts, f"{path}: imports are absolute"
    parts = path.parent.parts
    top = len(parts) - 1 - parts[::-1].index("src" if "src" in parts else "plugins")
    package = parts[top + 1 :] if "src" in parts else ("ansible_collections", "mlkeys", "transit", *parts[top:])
    return ".".join((*package, node.module or ""))


def imported(path: Path) -> set[str]:
    """The full names of all modules that a file imports from, wherever in it."""
    return {name for node in ast.walk(parsed(path)) for name in _names(node, path)}


def outside(path: Path) -> set[str]:
    """The packages that are not of the standard library."""
    return {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names


def heavy(path: Path, packages: Iterable[str]) -> set[str]:
    """Those of the packages that importing the file imports."""
    later = (ast.FunctionDef, ast.ClassDef, ast.If)
    statements = [statement for statement in parsed(path).body if not isinstance(statement, later)]
    nodes = [node for statement in statements for node in ast.walk(statement)]
    at_once = {name.partition(".")[0] for node in nodes for name in _names(node, path)}
    return at_once & set(packages)


def files_imported(path: Path, modules: Mapping[str, Path]) -> set[Path]:
    """The files, of modules by their dotted names, that a file imports, lazily or for types too."""
    found = set()
    for node in ast.walk(parsed(path)):
        names = list(_names(node, path))
        if isinstance(node, ast.ImportFrom):
            names += [f"{_absolute(node, path)}.{alias.name}" for alias in node.names]
        found |= {modules[name] for name in names if name in modules}
    return found - {path}


def cycle(graph: Mapping[Path, set[Path]]) -> list[Path]:
    """Files that import one another, directly or not; none when there is no cycle."""
    left = {path: set(others) for path, others in graph.items()}
    while free := {path for path, others in left.items() if not others}:
        left = {path: others - free for path, others in left.items() if path not in free}
    return sorted(left)
