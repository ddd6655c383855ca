# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide says for each mode what happens in the weeks after, and names a test for each line of its tables."""

from __future__ import annotations

import re

import pytest

from tests.support.collection import ROOT

GUIDE = (ROOT / "docs" / "guides" / "services.md").read_text(encoding="utf-8")
ROWS = [
    line
    for line in GUIDE.partition("## What happens in the weeks after")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| event")
]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_each_line_names_a_test_that_exists(row: str) -> None:
    found = re.search(r"<!-- (\S+)::(.+) --> \|$", row)
    assert found is not None, row
    text = (ROOT / found[1]).read_text(encoding="utf-8")
    assert f"def {found[2]}(" in text or f"- name: {found[2]}\n" in text


def test_each_mode_has_a_table_with_each_event() -> None:
    assert GUIDE.count("| event | what happens |") == 4
    for event in ("rotation, floor, trim", "end of a token", "reboot", "server away"):
        assert sum(event in row.split("|")[1] for row in ROWS) == 4
