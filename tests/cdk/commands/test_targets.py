# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the playbooks of `mlkeys rotate` and `mlkeys status` get to know about a program."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from mlkeys._commands.fleet.targets import _sources


def test_the_modules_in_the_folder_of_a_program_belong_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have written a ciphertext into one of them."""
    for place in ("own/keys.py", "site-packages/theirs.py"):
        module = ModuleType(Path(place).stem)
        module.__file__ = str(tmp_path / place)
        monkeypatch.setitem(sys.modules, f"{module.__name__}_of_this_test", module)
    built_in = ModuleType("built_in")
    monkeypatch.setitem(sys.modules, "built_in_of_this_test", built_in)
    assert _sources(tmp_path / "app.py") == [str(tmp_path / "app.py"), str(tmp_path / "own" / "keys.py")]
