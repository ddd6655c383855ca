# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Sorts elements so that each comes after what it depends on. Takes time in proportion to what the program states."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from mlkeys._model.element import Element
from mlkeys._model.tree import Construct

T = TypeVar("T")


def related(one: Construct, other: Construct) -> bool:
    """Whether one of two constructs is inside of the other, or both are the same."""
    return one in other.node.scopes or other in one.node.scopes


# All elements below a construct ("end"), or all that a scope depends on ("begin"). Where a scope of many elements
# depends on a scope of many, there is an edge for each element, and not one for each pair.
_Gate = tuple[str, Construct]
_Node = Element | _Gate


class _Graph:
    def __init__(
        self,
        elements: Iterable[Element],
        references: Callable[[Element], Iterable[Element]],
        below: Callable[[Construct], Sequence[Element]],
    ) -> None:
        self.elements = list(elements)
        self.rank = {element: number for number, element in enumerate(self.elements)}
        self.waiters: dict[_Node, list[_Node]] = defaultdict(list)
        self.missing: dict[_Node, int] = dict.fromkeys(self.elements, 0)
        self._below = below
        self._needs: dict[Construct, Sequence[_Node]] = {}
        for element in self.elements:
            needs: list[_Node] = [*references(element)]
            for scope in element.node.waiting:
                needs += self._needs_of(scope)
            for need in needs:
                self._add(need, element)

    def _add(self, need: _Node, node: _Node) -> None:
        if need is not node and (isinstance(need, tuple) or need in self.rank):
            self.waiters[need].append(node)
            self.missing[node] += 1

    def _needs_of(self, scope: Construct) -> Sequence[_Node]:
        """Return what each element of a scope waits for because the scope depends on it."""
        if scope not in self._needs:
            needs: list[_Node] = []
            begin = ("begin", scope)
            for dependency in scope.node.dependencies:
                if related(scope, dependency):
                    # An element does not wait for itself, so there is no gate that all elements could share.
                    needs += self._below(dependency)
                else:
                    self.missing.setdefault(begin, 0)
                    self._add(self._end(dependency), begin)
            self._needs[scope] = [*needs, begin] if begin in self.missing else needs
        return self._needs[scope]

    def _end(self, construct: Construct) -> _Gate:
        end = ("end", construct)
        if end not in self.missing:
            self.missing[end] = 0
            for need in self._below(construct):
                self._add(need, end)
        return end

    def sorted(self) -> list[Element]:
        ready: list[int] = []
        free: list[_Node] = [node for node, missing in self.missing.items() if not missing]
        ordered: list[Element] = []
        while free or ready:
            while free:
                node = free.pop()
                if isinstance(node, tuple):
                    free += self._done(node)
                else:
                    heapq.heappush(ready, self.rank[node])
            if ready:
                element = self.elements[heapq.heappop(ready)]
                ordered.append(element)
                free += self._done(element)
        return ordered

    def _done(self, node: _Node) -> list[_Node]:
        """Return the nodes that wait for nothing else any more."""
        free = []
        for waiter in self.waiters[node]:
            self.missing[waiter] -= 1
            if not self.missing[waiter]:
                free.append(waiter)
        return free


def in_order(
    elements: Iterable[Element],
    references: Callable[[Element], Iterable[Element]],
    below: Callable[[Construct], Sequence[Element]],
) -> tuple[list[Element], list[Element]]:
    """Sort elements so that each comes after what it depends on, else in the order of the program.

    Args:
        references: returns what an element refers to.
        below: returns the elements below a construct.

    Returns:
        The sorted elements, and those that are in a dependency cycle or behind one.
    """
    graph = _Graph(elements, references, below)
    ordered = graph.sorted()
    done = set(ordered)
    return ordered, [element for element in graph.elements if element not in done]


def sorted_by(needs: Mapping[T, set[T]]) -> tuple[list[T], list[T]]:
    """Sort keys of a mapping so that each comes after what it needs, else in the order of the mapping.

    Returns:
        The sorted keys, and those that are in a cycle or behind one.
    """
    keys = list(needs)
    rank = {key: number for number, key in enumerate(keys)}
    missing = {key: len(needed) for key, needed in needs.items()}
    waiters: dict[T, list[T]] = defaultdict(list)
    for key, needed in needs.items():
        for need in needed:
            waiters[need].append(key)
    ready = [rank[key] for key, count in missing.items() if not count]
    done: list[T] = []
    while ready:
        key = keys[heapq.heappop(ready)]
        done.append(key)
        for waiter in waiters[key]:
            missing[waiter] -= 1
            if not missing[waiter]:
                heapq.heappush(ready, rank[waiter])
    return done, [key for key in keys if missing[key]]
