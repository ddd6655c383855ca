# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Every keyword of the public classes and functions is documented where `help()` and an editor show it."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import mlkeys
import mlkeys.runtime
import mlkeys.testing
import mlkeys.transit
from mlkeys import transit as vault
from mlkeys._constructs import signing
from mlkeys._model.element import Resource

MODULES = (mlkeys, mlkeys.transit, mlkeys.testing, mlkeys.runtime)
#: For the package itself. The site leaves them out as well.
INTERNAL = {"known", "named", "texts"}
#: Whose place and name in the tree all constructs have, documented once at `Construct`.
_PLACE = {"self", "cls", "scope", "id_"}


def public() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in MODULES:
        found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    return found


def functions() -> Iterator[tuple[str, Any]]:
    """The public functions, methods and constructors."""
    for name, what in public().items():
        if inspect.isfunction(what):
            yield name, what
        elif inspect.isclass(what):
            methods = inspect.getmembers(what, lambda member: inspect.isfunction(member) or inspect.ismethod(member))
            yield from (
                (f"{name}.{own}", method) for own, method in methods if not own.startswith("_") and own not in INTERNAL
            )


def keywords(function: Any, *, unpacked: bool = True) -> dict[str, bool]:
    """The keywords of a function, with those of a dictionary that it unpacks, and whether each has a default."""
    found: dict[str, bool] = {}
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if typing.get_origin(hints.get(name)) is typing.Unpack:
            (keys,) = typing.get_args(hints[name])
            # Of whole dictionaries, only those that classes declare as required have no default.
            found |= {one: one not in keys.__required_keys__ for one in keys.__annotations__} if unpacked else {}
        else:
            found[name] = parameter.default is not inspect.Parameter.empty
    return {name: has_default for name, has_default in found.items() if name not in _PLACE}


def documented(docstring: str | None) -> dict[str, str]:
    """The names below `Args:` or `Attributes:`, with their texts."""
    text = inspect.cleandoc(docstring or "")
    found = {}
    for section in re.findall(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)*)", text, re.MULTILINE):
        for entry in re.split(r"\n(?=    \w)", section.rstrip()):
            name, _, meaning = entry.strip().partition(":")
            found[name] = " ".join(meaning.split())
    return found


CLASSES = {name: what for name, what in public().items() if inspect.isclass(what) and not typing.is_typeddict(what)}
#: Users get these from methods, whose arguments say what is in them.
MADE_BY_METHODS = {
    *("Decrypted", "Encrypted", "Group", "Output", "Problem", "Project", "Reference", "Server", "Secret"),
    *("Signed", "Verified"),
}


def assert_documents(docstring: str | None, wanted: dict[str, bool]) -> None:
    assert docstring, "no docstring"
    found = documented(docstring)
    assert {name for name in wanted if not found.get(name)} == set(), "keywords without documentation"
    (choices,) = re.findall(r"Set exactly one of ([^.]*)", docstring) or [""]
    optional = [name for name, has in wanted.items() if has and f"`{name}`" not in choices]
    without = {name for name in optional if not re.search(r"[Dd]efault|^.*Required\.", found[name])}
    assert without == set(), "no default"


@pytest.mark.parametrize("name", [name for name in CLASSES if name.rpartition(".")[2] not in MADE_BY_METHODS])
def test_a_class_documents_its_keywords(name: str) -> None:
    kind = CLASSES[name]
    assert kind.__doc__, "no docstring"
    if issubclass(kind, Exception) or getattr(kind, "_is_protocol", False):
        return
    wanted = keywords(kind.__init__)
    assert_documents(kind.__doc__, wanted)
    assert set(documented(kind.__doc__)) <= {*wanted, *_PLACE}, "documented, but not a keyword"


DICTIONARIES = {name: what for name, what in public().items() if typing.is_typeddict(what)}


@pytest.mark.parametrize("name", DICTIONARIES)
def test_a_dictionary_of_keywords_documents_each(name: str) -> None:
    kind = DICTIONARIES[name]
    wanted = {key: key not in kind.__required_keys__ for key in typing.get_type_hints(kind)}
    assert_documents(kind.__doc__, wanted)
    assert set(documented(kind.__doc__)) == {*wanted}, "documented, but not a keyword"


def test_the_keywords_of_a_key_are_documented_in_one_place() -> None:
    assert "mlkeys.transit.KeyAttributes" in DICTIONARIES
    assert documented(vault.KeyAttributes.__doc__) == documented(vault.TransitSecretBackendKey.__doc__)


def test_the_options_of_a_signature_are_documented_with_their_values() -> None:
    text = documented(vault.TransitSecretBackendKey.sign.__doc__)["options"]
    hints = typing.get_type_hints(signing.SigningOptions)
    for option in hints:
        for value in signing.CHOICES[option]:
            assert f"`{value}`" in text, f"{option} has no {value}"
    assert "sign()" in documented(vault.TransitSecretBackendKey.verify.__doc__)["options"]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_the_server_names_its_source(name: str) -> None:
    if issubclass(CLASSES[name], (Resource, vault.Policy, vault.KeyMaterial, mlkeys.Agent)):
        assert "Source: https://openbao.org/" in str(CLASSES[name].__doc__)


@pytest.mark.parametrize("name", CLASSES)
def test_a_number_has_a_unit_and_a_range(name: str) -> None:
    kind = CLASSES[name]
    if not issubclass(kind, Resource):
        return
    texts = documented(kind.__doc__)
    for keyword, attribute in kind.ATTRIBUTES.items():
        if attribute.kind == "int":
            assert re.search(r"\d", texts[keyword]), f"{keyword} has no range"
            assert re.search(r"bytes|version|number|how often", texts[keyword]), f"{keyword} has no unit"
        if attribute.kind == "duration":
            assert re.search(r"\b(?:seconds|Durations are seconds)\b", f"{kind.__doc__}"), f"{keyword} has no unit"


@pytest.mark.parametrize("name", dict(functions()))
def test_a_method_documents_its_keywords(name: str) -> None:
    function = dict(functions())[name]
    # Those of `configure` are those of its class.
    wanted = keywords(function, unpacked=False)
    own = [keyword for keyword in wanted if keyword not in ("attributes", "construct")]
    # One whole sentence can say all about a single argument.
    if len(own) > 1 or documented(function.__doc__):
        assert_documents(function.__doc__, {keyword: wanted[keyword] for keyword in own})
    assert function.__doc__, "no docstring"
