# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-doc` has a complete page for everything in the collection, and shows it without warnings.

One process shows all plugins of a kind: its start takes longer than many pages.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.collection import ROOT

FOLDERS = {"module": "modules", **{kind: kind for kind in ("lookup", "vars", "filter", "test", "callback")}}
PLUGINS = {kind: sorted(path.stem for path in (ROOT / "plugins" / FOLDERS[kind]).glob("*.py")) for kind in FOLDERS}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())

# The first line of each page, such as `> MODULE mlkeys.transit.vault_transit_key (FILE)`. The name is in bold or, in
# old versions, in capitals.
_HEAD = re.compile(r"^> (?:[A-Z]+:? )?(?:\x1b\[\d+m|\*)?mlkeys\.transit\.(\w+)", re.MULTILINE | re.IGNORECASE)

# What newer releases say of a collection of their own.
_OF_ANSIBLE = re.compile(r"\[WARNING\]: Collection at '\S+/_protomatter' does not have .* cannot detect version\.\n")


def ansible_doc(kind: str, names: Sequence[str], *options: str) -> str:
    full_names = [f"mlkeys.transit.{name}" for name in names]
    argv = [str(Path(sys.executable).parent / "ansible-doc"), "--type", kind, *options, *full_names]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert _OF_ANSIBLE.sub("", done.stderr) == ""
    return done.stdout


def pages_of(kind: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the facts on each plugin by its name."""
    pages = json.loads(ansible_doc(kind, names, "--json"))
    return {name.removeprefix("mlkeys.transit."): facts for name, facts in pages.items()}


def texts_of(kind: str, names: Sequence[str]) -> dict[str, str]:
    """Return the text of each page by the name of its plugin."""
    _nothing, *parts = _HEAD.split(ansible_doc(kind, names))
    return dict(zip(map(str.lower, parts[::2]), parts[1::2], strict=True))


def options_of(options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each option with its name, including suboptions."""
    for name, facts in options.items():
        yield name, facts
        yield from options_of(facts.get("suboptions") or facts.get("options") or {})


def incomplete(options: dict[str, Any]) -> list[str]:
    return [name for name, facts in options_of(options) if not facts.get("description") or not facts.get("type")]


def check_plugin(kind: str, name: str, page: dict[str, Any]) -> None:
    doc = page["doc"]
    parts = ("short_description", "description", "author", "version_added")
    assert {part for part in parts if not doc.get(part)} == set(), name
    assert incomplete(doc.get("options", {})) == [], name
    assert page["examples"].strip(), name
    if kind in ("module", "lookup", "filter", "test"):
        assert page["return"], name
        assert all(facts["description"] and facts["type"] for facts in page["return"].values()), name
    if kind == "module":
        assert doc["has_action"] is (ROOT / "plugins/action" / f"{name}.py").is_file(), name


@pytest.mark.parametrize("kind", FOLDERS)
def test_each_plugin_has_a_complete_page(kind: str) -> None:
    names = PLUGINS[kind]
    pages = pages_of(kind, names)
    assert sorted(pages) == names
    for name, page in pages.items():
        check_plugin(kind, name, page)
    texts = texts_of(kind, names)
    assert sorted(texts) == names
    assert [name for name, text in texts.items() if "EXAMPLES:" not in text] == []


def test_each_role_has_a_complete_page() -> None:
    pages = pages_of("role", ROLES)
    assert sorted(pages) == ROLES
    for name, page in pages.items():
        entry = page["entry_points"]["main"]
        assert entry["short_description"], name
        assert entry["description"], name
        assert incomplete(entry["options"]) == [], name
    texts = texts_of("role", ROLES)
    assert sorted(texts) == ROLES
    assert [name for name, text in texts.items() if not text.strip()] == []
