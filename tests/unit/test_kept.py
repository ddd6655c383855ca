# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environments of tests keep is what Ansible and Python would make again."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Any]:
    """Imports one of the files, which then keeps what it makes in a new folder."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    # Under the name by which the environments of tests have it.
    files = importlib.import_module("tests.support.hosts.kept")
    monkeypatch.setitem(sys.modules, "kept", files)
    monkeypatch.setattr(files, "_FOLDER", str(tmp_path))

    def import_once_more(name: str) -> Any:
        monkeypatch.delitem(sys.modules, f"tests.support.hosts.{name}", raising=False)
        return importlib.import_module(f"tests.support.hosts.{name}")

    return import_once_more


@pytest.fixture
def environment(imported: Callable[[str], Any]) -> Any:
    """A class of environments that keeps what it compiles."""
    kept = imported("kept_templates")

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


@pytest.mark.parametrize("flags", [0, re.IGNORECASE | re.VERBOSE])
@pytest.mark.parametrize("kind", [str, str.encode])
def test_an_expression_that_is_kept_is_the_same(
    imported: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, kind: Any, flags: int
) -> None:
    compiler: Any = vars(re)["_compiler"]
    text = kind(
        r"(?P<first>[a-f0-9]+)(?P=first)? x|(?:b(x)?){2,3} (?P<last>[^\W\d])|" + "(?i:c)|(d[e-g]*h)|" * 20 + "$"
    )
    # Nothing is kept of what is parsed already.
    expected = compiler.compile(compiler._parser.parse(text, flags), flags)
    monkeypatch.setattr(compiler, "compile", compiler.compile)
    imported("kept_patterns")

    made = compiler.compile(text, flags)
    with monkeypatch.context() as patched:
        patched.setattr(compiler, "_parser", None)
        kept = compiler.compile(text, flags)

    assert len(text) > 200
    assert made == kept
    assert kept.flags == expected.flags
    assert (kept.groups, kept.groupindex) == (expected.groups, expected.groupindex)
    for example in ("beefbeef x", "bxb a", "BB _", "C", "defh", ""):
        matches = [one.search(kind(example)) for one in (kept, expected)]
        assert len({match and (match.span(), match.groups(), match.lastgroup) for match in matches}) == 1


def test_code_of_a_collection_is_compiled_again_for_another_text_or_file(imported: Callable[[str], Any]) -> None:
    finder = SimpleNamespace()
    imported("kept_collections")._change(finder)

    def result(source: bytes, name: str) -> tuple[Any, str]:
        code = finder.compile(source=source, filename=name, mode="exec", flags=0, dont_inherit=True)
        names: dict[str, Any] = {}
        exec(code, names)  # noqa: S102
        return names["a"], code.co_filename

    for _ in range(2):
        assert result(b"a = 1", "one.py") == (1, "one.py")
        assert result(b"a = 2", "one.py") == (2, "one.py")
        assert result(b"a = 1", "two.py") == (1, "two.py")
