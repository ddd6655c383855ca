# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The generated files of whole programs, as reviewed.

Update them with `UPDATE_GOLDEN=1 pytest tests/cdk/targets/test_golden.py`, and read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.written import written
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.overridden import NAMES, overridden

from tests.cdk.apps import PROGRAMS, ROOT, files_of_program

GOLDEN = Path(__file__).parents[1] / "golden"
HEADER = "SPDX-FileCopyrightText: 2026 mlkeys contributors\nSPDX-License-Identifier: BSD-2-Clause\n"


def rendered(name: str) -> str:
    """Return all files of a program as one text."""
    files = files_of_program(name)
    # The manifest holds digests of the other files, which are here themselves.
    parts = [f"======== {name}\n{text}" for name, text in sorted(files.items()) if name != "manifest.json"]
    return "".join([HEADER, *parts])


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_generated_files_are_the_reviewed_ones(name: str) -> None:
    made, golden = rendered(name), GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_rotation_does_not_search_for_what_left_a_program(name: str, tmp_path: Path) -> None:
    for path, text in files_of_program(name).items():
        if path.endswith("/left.yml"):
            (tmp_path / "left.yml").write_text(text, encoding="utf-8")
    found = list(written([str(tmp_path / "left.yml")], NAMES))
    assert found
    assert not list(overridden(found, [], [], lambda _path: False))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_program_gives_the_same_bytes_and_nothing_of_the_machine(name: str) -> None:
    # Addresses of objects differ each time, and so does the order of sets of them.
    (first,) = {rendered(name) for _ in range(8)}
    assert str(ROOT) not in first
    assert str(Path.home()) not in first


def test_a_golden_file_belongs_to_a_program() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PROGRAMS)
