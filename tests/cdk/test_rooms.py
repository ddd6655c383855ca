# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Imports between the rooms of the package. The core uses no files, environment, clock or network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.cdk.apps import ROOT
from tests.support.imports import imported

PACKAGE = ROOT / "src" / "mlkeys"

#: What each room may import of the others. A new room needs a row here.
ROOMS: dict[str, set[str]] = {
    "_errors": set(),
    "_shared": set(),
    "_providers": set(),
    "_record": set(),
    "_model": {"_errors", "_shared", "_providers"},
    "_constructs": {"_errors", "_shared", "_providers", "_model"},
    "_analysis": {"_errors", "_shared", "_providers", "_model", "_constructs"},
    "_targets": {"_errors", "_shared", "_providers", "_record", "_model", "_constructs", "_analysis"},
    "_synthesis": {"_errors", "_shared", "_providers", "_record", "_model", "_constructs", "_analysis", "_targets"},
    "app": {"_model", "_synthesis"},
    "transit": {"_constructs"},
    "__init__": {"_errors", "_model", "_constructs", "app"},
    "_carried": {"_shared"},
    "_system": {"_errors", "_shared", "_carried"},
    "_stored": {"_errors", "_shared", "_model", "_system"},
    "runtime": {"_errors", "_model", "_carried", "_system", "_stored"},
    "_devserver": {"_errors", "_shared", "_system"},
    "_lint": {"_shared", "_providers"},
    "_import": {"_errors", "_shared", "_system", "_providers"},
    "_commands": {
        *("_errors", "_shared", "_model", "_constructs", "_analysis", "_targets", "_synthesis"),
        *("_providers", "_record", "_system", "_stored", "_devserver", "_lint", "_import"),
    },
    "_testing": {
        *("_errors", "_shared", "_model", "_constructs", "_analysis", "_synthesis", "_devserver"),
    },
    "testing": {"_testing"},
    "_cli": {"_commands"},
    "__main__": {"_cli"},
}
#: These read programs, write files, run tools, and send requests; all others only decide.
EDGES = {"_commands", "_stored", "runtime", "_system", "_devserver", "_cli", "__main__"}
EDGE_FILES = {
    *(
        "_synthesis/program",
        "_synthesis/project",
        "_synthesis/former_files",
        "_import/ansible_vault",
        "_import/sops_source",
    ),
    *(f"_shared/_files/{name}" for name in ("folders", "locks", "reading", "replacing")),
    # It looks for files on the disk, and where a repository of Git begins.
    "_shared/vars_places",
}
TALKING = {"ansible", "click", "datetime", "hvac", "http", "io", "pathlib", "random", "secrets", "shutil", "socket",
           "subprocess", "tempfile", "time", "urllib", "uuid"}  # fmt: skip
#: For the type or the place of a path, for reading text as lines, for quoting addresses.
EXCEPTIONS = {
    ("app", "pathlib"),
    ("_carried/__init__", "pathlib"),
    ("_testing/project", "pathlib"),
    ("_import/dotenv_source", "io"),
    ("_lint/reports", "urllib"),
    ("_shared/kept_sealed", "urllib"),
}
#: The only files that import Ansible, besides the commands that need its collection.
ANSIBLE = {"_import/ansible_vault", "_system/collection"}

# What the package carries of the collection are links. The files are checked there.
CODE = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if "_templates" not in path.relative_to(PACKAGE).parts and PACKAGE / "_carried" not in path.parents[1:]
)


def place(path: Path) -> str:
    """A file as the tables name it: its path below the package without the suffix."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def room(path: Path) -> str:
    return place(path).partition("/")[0]


@pytest.mark.parametrize("path", CODE, ids=place)
def test_a_room_imports_what_the_table_allows(path: Path) -> None:
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("mlkeys.")}
    assert ours - {room(path)} <= ROOMS[room(path)], "add imports of a new room to this table"


def test_the_table_has_no_obsolete_rooms() -> None:
    assert set(ROOMS) == {room(path) for path in CODE}


@pytest.mark.parametrize(
    "path", [path for path in CODE if room(path) not in EDGES and place(path) not in EDGE_FILES], ids=place
)
def test_the_core_only_decides(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    assert {name for name in tops & TALKING if (place(path), name) not in EXCEPTIONS} == set()
    text = path.read_text(encoding="utf-8")
    assert "environ" not in [node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    assert "open(" not in text


@pytest.mark.parametrize("path", [path for path in CODE if room(path) == "_targets"], ids=place)
def test_targets_do_not_import_one_another(path: Path) -> None:
    other = "terraform" if "ansible" in path.parts else "ansible" if "terraform" in path.parts else None
    assert not any(other and name.startswith(f"mlkeys._targets.{other}") for name in imported(path))


@pytest.mark.parametrize("path", CODE, ids=place)
def test_only_two_files_and_commands_import_ansible(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    if place(path) not in ANSIBLE:
        assert "ansible" not in tops
        assert "ansible_collections" not in tops or room(path) in {"_commands", "_stored", "runtime"}
