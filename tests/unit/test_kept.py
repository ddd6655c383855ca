# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environments of tests keep of templates and imports is what Ansible would make of them again."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A class of environments that keeps what it compiles in a new folder."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    # Under the name by which the environments of tests have it.
    files = importlib.import_module("tests.support.hosts.kept")
    monkeypatch.setitem(sys.modules, "kept", files)
    monkeypatch.setattr(files, "_FOLDER", str(tmp_path))
    monkeypatch.delitem(sys.modules, "tests.support.hosts.kept_templates", raising=False)
    kept = importlib.import_module("tests.support.hosts.kept_templates")

    class Environment(jinja2.Environment):
        _debuggable_template_source = False

        def __init__(self, **options: Any) -> None:
            super().__init__(optimized=False, **options)

    kept._keep(
        SimpleNamespace(
            AnsibleEnvironment=Environment,
            _TemplateCompileContext=SimpleNamespace(current=lambda **_options: None),
            _TEMPLATE_OVERRIDE_FIELD_NAMES=("trim_blocks", "variable_start_string"),
            _TemplateConfig=SimpleNamespace(allow_embedded_templates=True, jinja_extensions=[]),
        )
    )
    return Environment


def test_a_template_and_an_expression_of_the_same_text_are_compiled_once(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def results() -> tuple[str, Any]:
        return environment().from_string("a + 1").render(a=1), environment().compile_expression("a + 1")(a=1)

    first = results()
    monkeypatch.setattr(environment, "_generate", None)

    assert results() == first == ("a + 1", 2)


def test_settings_are_part_of_what_a_template_is(environment: Any) -> None:
    text = "{% if a %}\nx{{ a }}"
    text += "{% endif %}"

    assert environment().from_string(text).render(a=1) == "\nx1"
    assert environment(trim_blocks=True).from_string(text).render(a=1) == "x1"
    assert environment(variable_start_string="[[").from_string(text).render(a=1) == "\nx{{ a }}"


def test_a_filter_that_is_lost_or_takes_the_context_now_is_noticed(environment: Any) -> None:
    def rendered(**filters: Any) -> str:
        made = environment()
        made.filters |= filters
        return str(made.from_string("{{ 'a' | named }}").render(b="b"))

    assert rendered(named=lambda value: value * 2) == "aa"
    assert rendered(named=jinja2.pass_context(lambda context, value: value + context["b"])) == "ab"
    with pytest.raises(jinja2.TemplateAssertionError, match="No filter named 'named'"):
        rendered()


def test_what_is_kept_of_a_file_has_its_imports_and_whether_they_are_optional(environment: Any) -> None:
    from ansible.executor.module_common import ModuleDepFinder

    def found(tree: ast.Module) -> tuple[set[Any], set[Any]]:
        finder = ModuleDepFinder("ansible_collections.a.b.plugins.modules.c", tree)
        return finder.submodules, finder.optional_imports

    source = """
import os, ansible.module_utils.urls as u
from ansible.module_utils.basic import AnsibleModule, missing_required_lib as m
from ..module_utils import one, two
try:
    from ..module_utils.three import *
except ImportError:
    import ansible.module_utils.four
def f():
    if True:
        from ansible_collections.a.b.plugins.module_utils.five import six
class C:
    for x in []:
        from ..module_utils import seven
"""
    kept = importlib.import_module("tests.support.hosts.kept_imports")
    submodules, optional = found(ast.parse(source))

    assert found(ast.parse(kept.only_imports(ast.parse(source)))) == (submodules, optional)
    assert (len(submodules), len(optional)) == (9, 4)
