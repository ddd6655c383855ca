# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A complete tree, as checks and targets see it: the targets of references, and the order of elements."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._model.element import Element
from mlkeys._model.reference import Target, parts, targets
from mlkeys._model.stack import Root, Stack
from mlkeys._model.tree import Construct


@dataclass(frozen=True, slots=True)
class Pointer:
    """A resolved reference: the element and attribute that it points to."""

    element: Element
    attribute: str

    @property
    def sensitive(self) -> bool:
        return self.attribute in self.element.SENSITIVE

    @property
    def runtime(self) -> bool:
        return self.attribute in self.element.RUNTIME


class View:
    """An app whose tree does not change any more."""

    def __init__(self, app: Root) -> None:
        self.app = app

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """All elements of the app, in the order of the program."""
        return tuple(construct for construct in self.app.node.walk() if isinstance(construct, Element))

    @cached_property
    def stack_of(self) -> dict[Construct, Stack | None]:
        """The stack of each construct."""
        found: dict[Construct, Stack | None] = {}
        for construct in self.app.node.walk():
            scope = construct.node.scope
            found[construct] = construct if isinstance(construct, Stack) else found.get(scope) if scope else None
        return found

    def in_stack(self, stack: Stack) -> Iterator[Element]:
        """Yield the elements of a stack, in the order of the program."""
        return (construct for construct in stack.node.walk() if isinstance(construct, Element))

    def pointer(self, target: Target) -> Pointer | None:
        """Resolve a reference; None when this app does not have its target."""
        construct = self.app.node.find(target.path)
        if not isinstance(construct, Element):
            return None
        if target.attribute in construct.RUNTIME or construct.known(target.attribute) is not None:
            return Pointer(construct, target.attribute)
        return None

    def pointers(self, text: str) -> Iterator[Pointer]:
        """Yield the targets of the references in a text."""
        for target in targets(text):
            if (found := self.pointer(target)) is not None:
                yield found

    def known_text(self, text: str) -> str | None:
        """Return the text with its references replaced, None when a value is only known after deployment."""
        done = []
        for part in parts(text):
            known = part if isinstance(part, str) else self._known(part)
            if known is None:
                return None
            done.append(known)
        return "".join(done)

    def _known(self, target: Target) -> str | None:
        found = self.pointer(target)
        if found is None or found.runtime:
            return None
        return self.known_text(str(found.element.known(found.attribute)))

    def text(self, text: str) -> str:
        """Return a text that a check has found to be known, with its references replaced."""
        known = self.known_text(text)
        if known is None:
            raise ValueError(f"{text!r} is only known after deployment")
        return known

    def needs(self, element: Element) -> list[Element]:
        """Return what an element depends on: what it refers to, and its explicit dependencies."""
        needed = [_made_by(pointer.element) for text in self._texts_of(element) for pointer in self.pointers(text)]
        if isinstance(element, (EncryptedVars, Decrypted)):
            needed.append(element.key)
        for scope in element.node.scopes:
            for dependency in scope.node.dependencies:
                needed += [below for below in dependency.node.walk() if isinstance(below, Element)]
        return [other for other in needed if other is not element]

    def _texts_of(self, element: Element) -> Iterator[str]:
        # A file of ciphertexts is written in one step.
        parts_of_it = (element, *element.entries) if isinstance(element, EncryptedVars) else (element,)
        return (text for part in parts_of_it for _, text in part.texts())

    def in_order(self, elements: Iterable[Element]) -> tuple[list[Element], list[Element]]:
        """Sort elements so that each comes after what it depends on, else in the order of the program.

        Returns:
            The sorted elements, and those that are in a dependency cycle or behind one.
        """
        rest = list(elements)
        inside = set(rest)
        waiting = {element: {need for need in self.needs(element) if need in inside} for element in rest}
        waiters: dict[Element, list[Element]] = {element: [] for element in rest}
        for element, needs in waiting.items():
            for need in needs:
                waiters[need].append(element)
        return _kahn(rest, waiting, waiters)


def _made_by(element: Element) -> Element:
    """Return the element whose creation creates this one."""
    scope = element.node.scope
    return scope if isinstance(element, Encrypted) and isinstance(scope, EncryptedVars) else element


def _kahn(
    elements: list[Element], waiting: dict[Element, set[Element]], waiters: dict[Element, list[Element]]
) -> tuple[list[Element], list[Element]]:
    rank = {element: number for number, element in enumerate(elements)}
    ready = [rank[element] for element in elements if not waiting[element]]
    ordered: list[Element] = []
    while ready:
        element = elements[heapq.heappop(ready)]
        ordered.append(element)
        for waiter in waiters[element]:
            waiting[waiter].discard(element)
            if not waiting[waiter]:
                heapq.heappush(ready, rank[waiter])
    done = set(ordered)
    return ordered, [element for element in elements if element not in done]
