# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-doc` has a whole page for everything in the collection, and shows it without a complaint."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.collection import ROOT

FOLDERS = {"module": "modules", "lookup": "lookup", "vars": "vars", "filter": "filter", "callback": "callback"}
PLUGINS = sorted(
    (kind, path.stem) for kind, folder in FOLDERS.items() for path in (ROOT / "plugins" / folder).glob("*.py")
)
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


def ansible_doc(kind: str, name: str, *options: str) -> str:
    argv = [str(Path(sys.executable).parent / "ansible-doc"), "--type", kind, *options, f"mlkeys.transit.{name}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def options_of(options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each option by its name, those within others too."""
    for name, facts in options.items():
        yield name, facts
        yield from options_of(facts.get("suboptions") or facts.get("options") or {})


def incomplete(options: dict[str, Any]) -> list[str]:
    return [name for name, facts in options_of(options) if not facts.get("description") or not facts.get("type")]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_has_a_whole_page(kind: str, name: str) -> None:
    page = json.loads(ansible_doc(kind, name, "--json"))[f"mlkeys.transit.{name}"]
    doc = page["doc"]
    assert {
        part for part in ("short_description", "description", "author", "version_added") if not doc.get(part)
    } == set()
    assert incomplete(doc.get("options", {})) == []
    assert page["examples"].strip()
    if kind in ("module", "lookup", "filter"):
        assert page["return"]
        assert all(facts["description"] and facts["type"] for facts in page["return"].values())
    if kind == "module":
        assert doc["has_action"] is (ROOT / "plugins/action" / f"{name}.py").is_file()
    shown = ansible_doc(kind, name)
    assert f"mlkeys.transit.{name}" in shown
    assert "EXAMPLES:" in shown


@pytest.mark.parametrize("name", ROLES)
def test_a_role_has_a_whole_page(name: str) -> None:
    entry = json.loads(ansible_doc("role", name, "--json"))[f"mlkeys.transit.{name}"]["entry_points"]["main"]
    assert entry["short_description"]
    assert entry["description"]
    assert incomplete(entry["options"]) == []
    assert ansible_doc("role", name).strip()
