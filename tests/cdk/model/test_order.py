# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The order of elements and the dependencies of resources, compared with what the definition of a dependency gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkeys import App, Construct, Stack
from mlkeys import transit as vault
from mlkeys._analysis.view import View
from mlkeys._model.element import Element
from tests.cdk.apps import app_of, files, key_in, problems, stack, terraform

#: Number of scopes, the scope of each scope (before it) and of each key, and dependencies between all of them.
Shape = tuple[list[int], list[int], list[tuple[int, int]]]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    scopes = [draw(st.integers(0, number)) for number in range(draw(st.integers(0, 4)))]
    keys = [draw(st.integers(0, len(scopes))) for _ in range(draw(st.integers(1, 6)))]
    one = st.integers(0, len(scopes) + len(keys))
    return scopes, keys, draw(st.lists(st.tuples(one, one), max_size=6))


def built(shape: Shape) -> Stack:
    scopes, keys, dependencies = shape
    s = stack()
    places: list[Construct] = [s]
    for number, parent in enumerate(scopes):
        places.append(Construct(places[parent], f"scope-{number}"))
    made: list[Construct] = [
        vault.TransitSecretBackendKey(places[place], f"key-{number}", backend="transit", name=f"key-{number}")
        for number, place in enumerate(keys)
    ]
    everything = [*places, *made]
    for one, other in dependencies:
        everything[one].node.add_dependency(everything[other])
    return s


def needs(element: Element) -> set[Construct]:
    """What has to come before an element, by the definition of a dependency."""
    return {
        below
        for scope in element.node.scopes
        for dependency in scope.node.dependencies
        for below in dependency.node.walk()
        if isinstance(below, Element) and below is not element
    }


def by_definition(elements: Sequence[Element]) -> list[Element]:
    done: list[Element] = []
    while ready := [one for one in elements if one not in done and needs(one) <= set(done)]:
        done.append(ready[0])
    return done


@settings(max_examples=300, deadline=None)
@given(shapes())
def test_the_order_is_the_one_of_the_definition(shape: Shape) -> None:
    s = built(shape)
    view = View(app_of(s))
    ordered, cycle = view.sorted(s)
    wanted = by_definition(view.in_stack(s))
    assert ordered == wanted
    assert cycle == [element for element in view.in_stack(s) if element not in wanted]


@settings(max_examples=100, deadline=None)
@given(shapes())
def test_resources_of_terraform_depend_on_what_comes_before_them(shape: Shape) -> None:
    s = built(shape)
    if View(app_of(s)).sorted(s)[1]:
        assert any("dependency cycle" in text for text in problems(s))
        return
    resources = terraform(s)["resource"]["vault_transit_secret_backend_key"]
    found = {body["name"]: set(body.get("depends_on", [])) for body in resources.values()}
    address = {body["name"]: f"vault_transit_secret_backend_key.{name}" for name, body in resources.items()}
    keys = {str(element.node.id): element for element in View(app_of(s)).elements}
    assert found == {name: {address[one.node.id] for one in needs(element)} for name, element in keys.items()}


def test_a_large_scope_that_waits_for_a_large_scope_has_an_entry_for_each_resource() -> None:
    s = stack()
    first, second = Construct(s, "first"), Construct(s, "second")
    for number in range(40):
        key_in(first, f"a{number}")
        key_in(second, f"b{number}")
    second.node.add_dependency(first)
    resources = terraform(s)["resource"]
    ((name, between),) = resources["terraform_data"].items()
    keys = resources["vault_transit_secret_backend_key"]
    by_name = {body["name"]: (address, body) for address, body in keys.items()}
    firsts = {f"vault_transit_secret_backend_key.{by_name[f'a{number}'][0]}" for number in range(40)}
    assert set(between["depends_on"]) == firsts
    for number in range(40):
        assert by_name[f"b{number}"][1]["depends_on"] == [f"terraform_data.{name}"]
        assert "depends_on" not in by_name[f"a{number}"][1]


def test_a_key_that_waits_for_many_single_keys_waits_for_all() -> None:
    s = stack()
    last = key_in(s, "last")
    keys = [key_in(s, f"k{number}") for number in range(40)]
    for key in keys:
        last.node.add_dependency(key)
    resources = terraform(s)["resource"]
    ((name, between),) = resources["terraform_data"].items()
    assert len(between["depends_on"]) == 40
    assert resources["vault_transit_secret_backend_key"]["last"]["depends_on"] == [f"terraform_data.{name}"]


@pytest.mark.parametrize("outer", [True, False])
def test_a_construct_does_not_wait_for_itself(outer: bool) -> None:
    s = stack()
    one, other = key_in(s, "one"), key_in(s, "other")
    waiting, dependency = (s, one) if outer else (one, s)
    waiting.node.add_dependency(dependency)
    bodies = terraform(s)["resource"]["vault_transit_secret_backend_key"]
    first, second = ("one", "other") if outer else ("other", "one")
    assert "depends_on" not in bodies[first]
    assert bodies[second]["depends_on"] == [f"vault_transit_secret_backend_key.{first}"]
    assert files(s)
    assert other.node.path == "s/other"


def test_stacks_that_need_one_another_are_refused() -> None:
    app = App()
    one, two, behind, free = (Stack(app, name) for name in ("one", "two", "behind", "free"))
    for part in (one, two, behind, free):
        key_in(part, f"of-{part.node.id}")
    one.node.add_dependency(two)
    two.node.add_dependency(one)
    behind.node.add_dependency(two)
    two.node.add_dependency(free)
    (problem,) = problems(one)
    line = test_stacks_that_need_one_another_are_refused.__code__.co_firstlineno
    assert problem == (
        f"[one] (test_order.py:{line + 2}) dependency cycle between stacks: one, two: "
        f"[one] depends on [two] by add_dependency (test_order.py:{line + 5}); "
        f"[two] depends on [one] by add_dependency (test_order.py:{line + 6}). "
        "A stack is deployed as a whole: put what both need into a third stack, or what needs both into the last one"
    )


def test_a_cycle_of_stacks_names_the_constructs_that_refer_to_one_another() -> None:
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    engines = [vault.TransitSecretBackend(part, "e", path=part.node.id) for part in (one, two)]
    for part, engine in ((one, engines[1]), (two, engines[0])):
        vault.TransitSecretBackendKey(part, "k", backend=engine.path, name="k")
    (problem,) = problems(one)
    line = test_a_cycle_of_stacks_names_the_constructs_that_refer_to_one_another.__code__.co_firstlineno + 5
    assert f": [one/k] (test_order.py:{line}) refers to [two/e]; [two/k] (test_order.py:{line}) ref" in problem


def test_a_cycle_is_explained_without_what_only_waits_for_it() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    key = vault.TransitSecretBackendKey(s, "key", backend=engine.path, name="key")
    after = key_in(s, "after")
    after.node.add_dependency(key)
    scope = Construct(s, "scope")
    inner = key_in(scope, "inner")
    engine.node.add_dependency(scope)
    scope.node.add_dependency(key)
    (problem,) = problems(s)
    line = test_a_cycle_is_explained_without_what_only_waits_for_it.__code__.co_firstlineno
    assert problem == (
        f"[s/key] (model/test_order.py:{line + 3}) dependency cycle: "
        f"[s/key] (model/test_order.py:{line + 3}) refers to [s/engine]; "
        f"[s/engine] depends on [s/scope] by add_dependency (model/test_order.py:{line + 8}); "
        f"[s/scope] depends on [s/key] by add_dependency (model/test_order.py:{line + 9}). "
        "Take one of these dependencies out of the program"
    )
    assert inner.node.path == "s/scope/inner"
