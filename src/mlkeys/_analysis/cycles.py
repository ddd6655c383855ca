# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Explains cycles: which construct waits for which, with the lines of the program that say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from mlkeys._analysis.view import View
from mlkeys._model.element import Element
from mlkeys._model.stack import Stack
from mlkeys._model.tree import Construct

N = TypeVar("N", bound=Construct)


def cycle_of_elements(view: View, stack: Stack) -> tuple[Construct, str] | None:
    """Return a construct of a stack that waits for itself, and the message about it, None when none does."""
    _, left = view.sorted(stack)
    if not left:
        return None
    found = _loop(frozenset(left), lambda element: _needs(view, element))
    text = "; ".join(reason for _, reason in found)
    return found[0][0], f"dependency cycle: {text}. Take one of these dependencies out of the program"


def cycle_of_stacks(view: View) -> tuple[Stack, str] | None:
    """Return a stack that waits for itself, and the message about it, None when none does."""
    left = view.stacks_in_cycle()
    if not left:
        return None
    found = _loop(frozenset(left), lambda stack: _needs_of_stack(view, stack))
    names = ", ".join(stack.node.id for stack, _ in found)
    text = "; ".join(reason for _, reason in found)
    return found[0][0], (
        f"dependency cycle between stacks: {names}: {text}. A stack is deployed as a whole: put what both need into a "
        "third stack, or what needs both into the last one"
    )


def _loop(left: Collection[N], needs: Callable[[N], Iterator[tuple[N, str]]]) -> list[tuple[N, str]]:
    """Return a loop among nodes in cycles or behind one, each node with the reason why it needs the next."""
    node = min(left, key=lambda one: one.node.path)
    passed: dict[N, str] = {}
    while node not in passed:
        other, passed[node] = next((need, text) for need, text in needs(node) if need in left)
        node = other
    path = [*passed.items()]
    first = [one for one, _ in path].index(node)
    return path[first:]


def _needs(view: View, element: Element) -> Iterator[tuple[Element, str]]:
    """Yield what an element waits for, with the reasons."""
    for other in view.references(element):
        yield other, f"{_placed(element)} refers to [{other.node.path}]"
    for scope in element.node.waiting:
        for dependency, at in scope.node.dependency_lines:
            for other in view.below(dependency):
                if other is not element:
                    yield other, _explicit(scope, dependency, at)


def _needs_of_stack(view: View, stack: Stack) -> Iterator[tuple[Stack, str]]:
    """Yield the stacks that a stack waits for, with the reasons."""
    for element in view.in_stack(stack):
        for need in view.references(element):
            other = view.stack_of[need]
            if other is not None and other is not stack:
                yield other, f"{_placed(element)} refers to [{need.node.path}]"
    for construct in (*stack.node.scopes[:-1], *stack.node.walk()):
        if construct is stack or view.below(construct):
            for dependency, at in construct.node.dependency_lines:
                for other in view.stacks_below(dependency):
                    if other is not stack:
                        yield other, _explicit(construct, dependency, at)


def _placed(construct: Construct) -> str:
    return f"[{construct.node.path}] ({construct.node.location_text})"


def _explicit(construct: Construct, dependency: Construct, at: str) -> str:
    return f"[{construct.node.path}] depends on [{dependency.node.path}] by add_dependency ({at})"
