# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule `args` of ansible-lint checks the arguments of the modules, although it finds their action plugins first."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible.plugins.loader import action_loader

from tests.support.collection import ROOT

MODULES = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))


class Passed(Exception):
    pass


class Checking(basic.AnsibleModule):
    """As the rule has it: what comes after the arguments does not happen."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        usual: Any = super()
        usual.__init__(*arguments, **options)
        raise Passed


@contextlib.contextmanager
def imports_left_behind() -> Iterator[None]:
    """What the collection imports here keeps the class of the rule, which is not for other tests. Libraries stay.

    A second copy of a library would not know the objects of the first one.
    """
    before = dict(sys.modules)
    try:
        yield
    finally:
        for name in [one for one in sys.modules if one.startswith("ansible_collections.")]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in before.items() if name.startswith("ansible_collections.")})


def linted(name: str, given: dict[str, Any]) -> str:
    """What the rule reads, as it gets it; empty for right arguments."""
    context = action_loader.find_plugin_with_context(f"mlkeys.transit.{name}")
    spec = importlib.util.spec_from_file_location("linted", str(context.plugin_resolved_path))
    assert spec is not None
    assert spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    printed = io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()), encoding="utf-8")
    with (
        imports_left_behind(),
        mock.patch.object(basic, "AnsibleModule", Checking),
        mock.patch.object(basic, "_ANSIBLE_ARGS", None),
        mock.patch.object(sys, "stdin", stdin),
        mock.patch.object(sys, "argv", [""]),
        mock.patch.object(sys, "stdout", printed),
    ):
        for module in [one for one in sys.modules if ".transit.plugins.modules." in one]:
            del sys.modules[module]
        spec.loader.exec_module(plugin)
        try:
            plugin.main()
        except Passed:
            return ""
        except SystemExit:
            return str(json.loads(printed.getvalue())["msg"])
    raise AssertionError("nothing was checked")


@pytest.mark.parametrize("name", MODULES)
def test_an_unknown_argument_is_found(name: str) -> None:
    assert "nmae" in linted(name, {"nmae": "k"}) or "required" in linted(name, {"nmae": "k"})


def test_right_arguments_pass_and_nothing_happens(tmp_path: Path) -> None:
    path = tmp_path / "file"
    given = {"files": [{"path": str(path), "content": "x"}]}
    assert linted("vault_transit_files", given) == ""
    assert not path.exists()
    assert "of type" in linted("vault_transit_key", {"name": "k", "derived": []})


def test_without_a_linter_the_module_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    action = importlib.import_module("ansible_collections.mlkeys.transit.plugins.action.vault_transit_key")
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    action.main()
