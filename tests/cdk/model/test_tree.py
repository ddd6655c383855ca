# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The construct tree: paths, scopes, order, aspects, what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mlkeys import App, Construct, HostConfig, Inventory, MlkeysError, Stack
from mlkeys import transit as vault
from mlkeys._analysis.view import View
from mlkeys._synthesis.program import load
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import ROOT, app_of, files, key_in, problems, stack, tasks


def test_a_construct_knows_its_place() -> None:
    s = stack()
    key = key_in(s)
    assert key.node.path == "s/key"
    assert key.node.scopes == (app_of(s), s, key)
    assert app_of(s).node.find("s/key") is key
    assert key.node.location.file == str(ROOT / "tests" / "cdk" / "apps.py")


def test_without_a_scope_it_is_the_stack_around() -> None:
    with Stack(App(), "outer") as outer:
        engine = vault.TransitSecretBackend("engine")
        inner = Construct(engine, "inner")
    assert engine.node.scope is outer
    assert inner.node.path == "outer/engine/inner"


def test_a_construct_outside_of_a_stack_explains_how_to_make_one() -> None:
    with pytest.raises(MlkeysError, match="mlkeys synth PROGRAM"):
        vault.TransitSecretBackend("engine")


def test_the_same_id_twice_says_where_the_first_is() -> None:
    s = stack()
    Construct(s, "a")
    Construct(s, "a")
    (problem,) = [text for text in problems(s) if "duplicate id" in text]
    assert ", at model/test_tree.py:" in problem.replace("apps.py", "test_tree.py")


@pytest.mark.parametrize("id_", ["", "a b", "a/b", "*", "ä", ".hidden", "a\n"])
def test_ids_are_plain(id_: str) -> None:
    s = stack()
    Construct(s, id_)
    assert any("is not a valid id" in text for text in problems(s))


def test_nothing_can_be_added_during_synthesis() -> None:
    s = stack()
    key = key_in(s)

    def add() -> list[str]:
        Construct(s, "late")
        return []

    key.node.add_validation(add)
    with pytest.raises(MlkeysError, match="cannot be added"):
        files(s)
    Construct(s, "later")  # it is possible again afterwards


class Adding:
    """An aspect that adds a construct, which it then visits as well."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def visit(self, construct: Construct) -> None:
        self.seen.append(construct.node.path)
        if construct.node.path == "s" and construct.node.child("added") is None:
            vault.TransitSecretBackend(construct, "added", path="added")


def test_aspects_visit_what_aspects_add_and_everything_once() -> None:
    s = stack()
    key_in(s)
    aspect = Adding()
    app_of(s).node.add_aspect(aspect)
    assert any("added" in str(task) for task in tasks(s))
    assert sorted(aspect.seen) == ["", "s", "s/added", "s/key"]


def test_aspects_run_by_priority() -> None:
    s, order = stack(), []
    key_in(s)

    class Noting:
        def __init__(self, name: str) -> None:
            self.name = name

        def visit(self, construct: Construct) -> None:
            if construct is s:
                order.append(self.name)

    s.node.add_aspect(Noting("late"), priority=200)
    app_of(s).node.add_aspect(Noting("early"), priority=1)
    files(s)
    assert order == ["early", "late"]


class Endless:
    def visit(self, construct: Construct) -> None:
        Construct(construct, "more")


def test_an_endless_aspect_is_stopped() -> None:
    s = stack()
    s.node.add_aspect(Endless())
    with pytest.raises(MlkeysError, match="still add constructs"):
        files(s)


def test_dependencies_come_first_whatever_the_order_of_the_program() -> None:
    s = stack()
    early = key_in(s, "early")
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    early.node.add_dependency(engine)
    assert [task["name"] for task in tasks(s)] == ["Engine engine", "Key early"]


def test_a_dependency_cycle_is_refused_with_its_members() -> None:
    s = stack()
    one, two = key_in(s, "one"), key_in(s, "two")
    one.node.add_dependency(two)
    two.node.add_dependency(one)
    (text,) = problems(s)
    assert "dependency cycle: [s/one] depends on [s/two] by add_dependency (model/test_tree.py:" in text
    assert "; [s/two] depends on [s/one] by" in text


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (("web", "/etc/x"), ("web", "/etc/x"), "/etc/x of web"),
        (("web", "/etc/x"), ("web", "/etc/../etc//x"), "/etc/x of web"),
        # A host may be in several groups.
        (("web", "/etc/x"), ("one", "/etc/x"), "/etc/x of one"),
        (("one", "/etc/x"), ("web", "/etc/x"), "/etc/x of h1"),
        (("web", "/etc/x"), ("other", "/etc/x"), None),
        (("web", "/etc/x"), ("web", "/etc/y"), None),
    ],
)
def test_two_files_of_one_path_on_one_host_are_refused(
    first: tuple[str, str], second: tuple[str, str], refused: str | None
) -> None:
    s = stack()
    inventory = Inventory(s, "inventory")
    hosts = {"web": ["h1", "h2"], "one": ["h1"], "other": ["h3"]}
    groups = {name: inventory.group(name, found) for name, found in hosts.items()}
    for id_, (group, dest) in (("a", first), ("b", second)):
        HostConfig(s, id_, hosts=groups[group], dest=dest, env={"A": id_})
    if refused is None:
        assert files(s)
        return
    (text,) = problems(s)
    assert text.startswith("[s/b] (model/test_tree.py:")
    assert f"the file '{refused}' is defined twice; the other definition is [s/a] at model/test_tree.py:" in text
    assert text.endswith("Give one of them another dest, or put both into one HostConfig")


def test_a_layered_graph_is_ordered_in_reasonable_time() -> None:
    s = stack()
    layers = [[key_in(s, f"k{layer}-{number}") for number in range(4)] for layer in range(40)]
    for above, below in itertools.pairwise(layers):
        for key in below:
            key.node.add_dependency(*above)
    ordered, cycle = View(app_of(s)).sorted(s)
    assert not cycle
    assert [element.node.id for element in ordered] == [key.node.id for layer in layers for key in layer]


def test_stacks_do_not_nest_and_an_app_needs_one() -> None:
    s = stack()
    Stack(s, "inner")
    assert any("cannot be inside of another stack" in text for text in problems(s))
    app = App()
    with pytest.raises(MlkeysError, match="has no stacks"):
        synthesize(app)


def test_a_construct_outside_of_any_stack_is_refused() -> None:
    s = stack()
    vault.TransitSecretBackend(app_of(s), "lost")
    assert any("is outside of a stack" in text for text in problems(s))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("x = 1", "makes no constructs"),
        ("from mlkeys import App\nApp(); App()", "makes 2 App objects"),
        ("def broken(:", "app.py:1: "),
        (
            "from mlkeys import App, Stack, transit\nStack(App(), 's')\ntransit.TransitSecretBackend('x')",
            "constructs outside of them",
        ),
        ("from mlkeys import Secret\n\nprint(f'{Secret.env(\"X\")}')", "app.py:3: Secret.env"),
    ],
)
def test_a_program_that_cannot_be_used_is_refused_with_its_reason(tmp_path: Path, program: str, message: str) -> None:
    (tmp_path / "app.py").write_text(program)
    with pytest.raises(MlkeysError, match=message.replace("(", r"\(")):
        load(tmp_path / "app.py")
