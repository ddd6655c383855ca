# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Splits sorted elements into as few segments as possible, in each of which elements of a kind can be made together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlkeys._model.element import Element
from mlkeys._model.tree import Construct

#: The kind of what is made by itself, where the program has it: nothing that comes later may be made before it.
BARRIER = -1


@dataclass(slots=True)
class Segment:
    """Elements by kind. Those of one kind are made together, and kinds in the order of their numbers."""

    of_kind: dict[int, list[Element]] = field(default_factory=dict)

    def elements(self) -> list[Element]:
        """Return the elements in the order in which they are made."""
        return [element for kind in sorted(self.of_kind) for element in self.of_kind[kind]]


def segments(
    elements: Iterable[Element],
    kind_of: Callable[[Element], int | None],
    references: Callable[[Element], Iterable[Element]],
    below: Callable[[Construct], Sequence[Element]],
    at_once: int,
) -> list[Segment]:
    """Split elements into segments.

    Args:
        elements: sorted, see `in_order`.
        kind_of: returns the kind of an element, `BARRIER` for one that is made by itself, None for one that is not
            made at all.
        references: returns what an element refers to.
        below: returns the elements below a construct.
        at_once: the kind of elements of which none of a segment may need another. Those of other kinds are made one
            after the other.
    """
    return _Splitter(kind_of, references, below, at_once).split(elements)


class _Splitter:
    def __init__(
        self,
        kind_of: Callable[[Element], int | None],
        references: Callable[[Element], Iterable[Element]],
        below: Callable[[Construct], Sequence[Element]],
        at_once: int,
    ) -> None:
        self._kind_of = kind_of
        self._references = references
        self._below = below
        self._at_once = at_once
        self._kinds: dict[Element, int] = {}
        # The latest kind of the current segment that a scope waits for.
        self._waits: dict[Construct, int] = {}

    def split(self, elements: Iterable[Element]) -> list[Segment]:
        done = [Segment()]
        for element in elements:
            kind = self._kind_of(element)
            latest = self._latest(element)
            if kind is None:
                # What needs it needs what it needs.
                self._kinds[element] = latest
                continue
            if kind == BARRIER or latest > kind or (latest == kind == self._at_once):
                self._begin(done)
            done[-1].of_kind.setdefault(kind, []).append(element)
            self._kinds[element] = kind
            if kind == BARRIER:
                self._begin(done)
        return [segment for segment in done if segment.of_kind]

    def _begin(self, done: list[Segment]) -> None:
        self._kinds, self._waits = {}, {}
        done.append(Segment())

    def _latest(self, element: Element) -> int:
        """Return the latest kind of the current segment that an element needs."""
        found = [self._kinds[need] for need in self._references(element) if need in self._kinds]
        found += (self._latest_of_scope(scope, element) for scope in element.node.waiting)
        return max(found, default=BARRIER)

    def _latest_of_scope(self, scope: Construct, element: Element) -> int:
        if scope not in self._waits:
            needs = (need for dependency in scope.node.dependencies for need in self._below(dependency))
            kinds = [self._kinds[need] for need in needs if need is not element and need in self._kinds]
            inside = any(element in self._below(dependency) for dependency in scope.node.dependencies)
            if inside:
                # More of what it waits for is still to come.
                return max(kinds, default=BARRIER)
            self._waits[scope] = max(kinds, default=BARRIER)
        return self._waits[scope]
