# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The table of endpoints has every path of the running server, and names options that there are."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from tests.support.collection import ROOT
from tests.support.server import Bao

PAGE = ROOT / "docs/reference/endpoints.md"
_PART = re.compile(r"\[`(\w+)`(?: lookup)?\]\(/collection/\w+?_(module|lookup)\)")


class Row(NamedTuple):
    path: str
    methods: tuple[str, ...]
    part: str
    notes: str


def rows(section: str) -> list[Row]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]
    return [Row(path.strip("`"), tuple(methods.split(", ")), part, notes) for path, methods, part, notes in cells]


ON_OPENBAO, ON_VAULT = (rows(section) for section in PAGE.read_text(encoding="utf-8").split("## On Vault alone"))


def test_the_table_is_that_of_the_server(bao: Bao, mount: str) -> None:
    described = bao.done("GET", "sys/internal/specs/openapi")["paths"]
    served = {
        (path.removeprefix(f"/{mount}/"), method.upper())
        for path, methods in described.items()
        if path.startswith(f"/{mount}/")
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert len(served) > 30
    listed = [(row.path, method) for row in ON_OPENBAO for method in row.methods]
    assert len(set(listed)) == len(listed)
    lacking = {"table lacks": sorted(served - set(listed)), "server lacks": sorted(set(listed) - served)}
    assert lacking == {"table lacks": [], "server lacks": []}


def options_of(kind: str, name: str) -> dict[str, Any]:
    path = ROOT / "plugins" / {"module": "modules"}.get(kind, kind) / f"{name}.py"
    documentation = get_docstring(str(path), fragment_loader, collection_name="mlkeys.transit", plugin_type=kind)[0]
    options: dict[str, Any] = documentation["options"]
    return options


@pytest.mark.parametrize("row", [*ON_OPENBAO, *ON_VAULT], ids=lambda row: f"{row.path} {row.methods[0]}")
def test_each_path_has_a_part_that_exists_or_a_reason(row: Row) -> None:
    if row.part == "none":
        assert row.notes.endswith(".")
        return
    found = _PART.match(row.part)
    assert found, row.part
    options = options_of(found[2], found[1])
    for named in re.findall(r"`([^`]+)`", row.part[found.end() :]):
        option, _, value = named.partition("=")
        assert option in options, f"{found[1]} has no option {option}"
        assert not value or value in options[option]["choices"]


def test_every_operation_of_the_lookup_is_in_the_table() -> None:
    named = set(re.findall(r"`operation=(\w+)`", PAGE.read_text(encoding="utf-8")))
    # These two read from a KV engine.
    assert named == set(options_of("lookup", "vault_transit")["operation"]["choices"]) - {"kv_get", "read"}
