# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which file of the package may use what: the core touches no file, no environment, no clock and no network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.cdk.apps import ROOT

PACKAGE = ROOT / "src" / "mlkeys"
#: The edges: they read programs, write files, run tools, ask servers.
EDGES = {
    *("_ansible_vault", "_cli", "_collection", "_editor", "_http", "_openbao", "_private_folder", "_processes"),
    *("_program", "_project", "_replacing", "_state_folder", "_terminal", "_worktree", "__main__", "sops_source"),
}
CORE = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.stem not in EDGES and not {"_commands", "_templates"} & set(path.relative_to(PACKAGE).parts)
)
TALKING = {"ansible", "click", "datetime", "hvac", "http", "io", "pathlib", "random", "secrets", "shutil", "socket",
           "subprocess", "tempfile", "time", "urllib", "uuid"}  # fmt: skip
#: Where a type of a path is needed, or a name of the machine's separator; how an address is written; a text as lines.
EXCEPTIONS = {("_app", "pathlib"), ("dotenv_source", "io"), ("reports", "urllib")}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module))
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_only_decides(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    assert {name for name in tops & TALKING if (path.stem, name) not in EXCEPTIONS} == set()
    text = path.read_text(encoding="utf-8")
    assert "environ" not in [node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    assert "open(" not in text


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_constructs_know_no_target_and_nobody_knows_the_command(path: Path) -> None:
    names = imported(path)
    assert not any(name.startswith("mlkeys._commands") for name in names)
    if "_constructs" in path.parts:
        assert not any(
            name.startswith(("mlkeys._targets", "mlkeys._synthesis.synth", "mlkeys._analysis.view")) for name in names
        )
    if "_targets" in path.parts:
        other = "terraform" if "ansible" in path.parts else "ansible" if "terraform" in path.parts else None
        assert not any(other and name.startswith(f"mlkeys._targets.{other}") for name in names)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_ansible_is_known_to_two_files_and_to_commands_that_need_it(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    if path.stem not in {"_ansible_vault", "_collection"}:
        assert "ansible" not in tops
        assert "ansible_collections" not in tops or "_commands" in path.parts


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    # These are the collection's.
    if path.stem not in {"_schema", "_shapes"}:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 280
