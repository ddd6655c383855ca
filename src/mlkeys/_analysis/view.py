# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A complete tree, as checks and targets see it: the targets of references, and the order of elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from mlkeys._analysis.order import in_order, sorted_by
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.output import Output
from mlkeys._constructs.raw import TerraformBlock
from mlkeys._constructs.signing import Signature
from mlkeys._model.element import Element
from mlkeys._model.marks import Target, has_marks, parts, targets
from mlkeys._model.stack import Root, Stack
from mlkeys._model.tree import Construct

E = TypeVar("E", bound=Element)


class Pointer(NamedTuple):
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
        self._pointers: dict[Target, Pointer | None] = {}
        self._pointers_in: dict[str, Sequence[Pointer]] = {}
        self._known_texts: dict[str, str | None] = {}
        self._references: dict[Element, Sequence[Element]] = {}
        self._of_kind: dict[tuple[Stack, type[Element]], Any] = {}
        self._below: dict[Construct, Sequence[Element]] = {}
        self._sorted: dict[Stack, tuple[list[Element], list[Element]]] = {}
        self._stacks: dict[Construct, set[Stack]] = {}

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

    @cached_property
    def _by_stack(self) -> dict[Stack, list[Element]]:
        found: dict[Stack, list[Element]] = {}
        for element in self.elements:
            if (stack := self.stack_of[element]) is not None:
                found.setdefault(stack, []).append(element)
        return found

    def in_stack(self, stack: Stack) -> Sequence[Element]:
        """Return the elements of a stack, in the order of the program."""
        return self._by_stack.get(stack, ())

    def of_kind(self, stack: Stack, kind: type[E]) -> Sequence[E]:
        """Return the elements of a stack that are of a class, in the order of the program."""
        if (stack, kind) not in self._of_kind:
            self._of_kind[stack, kind] = tuple(one for one in self.in_stack(stack) if isinstance(one, kind))
        found: Sequence[E] = self._of_kind[stack, kind]
        return found

    def below(self, construct: Construct) -> Sequence[Element]:
        """Return the elements at and below a construct."""
        if construct not in self._below:
            self._below[construct] = tuple(one for one in construct.node.walk() if isinstance(one, Element))
        return self._below[construct]

    @cached_property
    def _files_by_key(self) -> dict[KeyResource, list[EncryptedVars]]:
        found: dict[KeyResource, list[EncryptedVars]] = {}
        for element in self.elements:
            if isinstance(element, EncryptedVars):
                found.setdefault(element.key, []).append(element)
        return found

    def files_under(self, key: KeyResource) -> Sequence[EncryptedVars]:
        """Return the files of ciphertexts of a key, in all stacks."""
        return self._files_by_key.get(key, ())

    @cached_property
    def _names_by_key(self) -> dict[tuple[str | None, str | None], set[str]]:
        found: dict[tuple[str | None, str | None], set[str]] = {}
        for element in self.elements:
            if isinstance(element, Encrypted):
                found.setdefault(self._identity(element.key), set()).add(element.name)
        return found

    def _identity(self, key: KeyResource) -> tuple[str | None, str | None]:
        return self.known_text(str(key.backend)), self.known_text(str(key.name))

    def names_under(self, key: KeyResource) -> set[str]:
        """Return the names of the secrets that the app encrypts with a key."""
        return self._names_by_key.get(self._identity(key), set())

    @cached_property
    def used_elsewhere(self) -> dict[Stack, list[Pointer]]:
        """What only deployments know and outputs and blocks of other stacks use, by the stack that makes it."""
        found: dict[Stack, dict[Pointer, None]] = {}
        for element in self.elements:
            if isinstance(element, (Output, TerraformBlock)):
                for pointer in (one for _, text in element.texts() for one in self.pointers(text)):
                    owner = self.stack_of[pointer.element]
                    if pointer.runtime and owner is not None and owner is not self.stack_of[element]:
                        found.setdefault(owner, {})[pointer] = None
        return {stack: [*pointers] for stack, pointers in found.items()}

    def pointer(self, target: Target) -> Pointer | None:
        """Resolve a reference; None when this app does not have its target."""
        if target not in self._pointers:
            self._pointers[target] = self._found(target)
        return self._pointers[target]

    def _found(self, target: Target) -> Pointer | None:
        construct = self.app.node.find(target.path)
        if not isinstance(construct, Element):
            return None
        if target.attribute in construct.RUNTIME or construct.known(target.attribute) is not None:
            return Pointer(construct, target.attribute)
        return None

    def pointers(self, text: str) -> Sequence[Pointer]:
        """Return the targets of the references in a text."""
        text = str(text)
        if not has_marks(text):
            return ()
        if text not in self._pointers_in:
            found = (self.pointer(target) for target in targets(text))
            self._pointers_in[text] = tuple(pointer for pointer in found if pointer is not None)
        return self._pointers_in[text]

    def known_text(self, text: str) -> str | None:
        """Return the text with its references replaced, None when a value is only known after deployment."""
        text = str(text)
        if not has_marks(text):
            return text
        if text not in self._known_texts:
            done = [part if isinstance(part, str) else self._known(part) for part in parts(text)]
            self._known_texts[text] = None if None in done else "".join(part for part in done if part is not None)
        return self._known_texts[text]

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

    def references(self, element: Element) -> Sequence[Element]:
        """Return the elements that an element refers to. Its explicit dependencies are on its node and its scopes'."""
        if element not in self._references:
            found = [_made_by(pointer.element) for text in self._texts_of(element) for pointer in self.pointers(text)]
            if isinstance(element, (EncryptedVars, Decrypted, Signature)):
                found.append(element.key)
            # Many elements refer to nothing.
            self._references[element] = [other for other in found if other is not element] if found else ()
        return self._references[element]

    def _texts_of(self, element: Element) -> Iterator[str]:
        # A file of ciphertexts is written in one step.
        parts_of_it = (element, *element.entries) if isinstance(element, EncryptedVars) else (element,)
        return (text for part in parts_of_it for _, text in part.texts())

    def sorted(self, stack: Stack) -> tuple[list[Element], list[Element]]:
        """Sort the elements of a stack, see `in_order`."""
        if stack not in self._sorted:
            self._sorted[stack] = in_order(self.in_stack(stack), self.references, self.below)
        return self._sorted[stack]

    def needed_stacks(self, stack: Stack) -> set[Stack]:
        """Return the stacks that must be deployed before a stack."""
        found = {dependency for dependency in stack.node.dependencies if isinstance(dependency, Stack)}
        for element in self.in_stack(stack):
            found |= {other for need in self.references(element) if (other := self.stack_of[need]) is not None}
        for construct in (*stack.node.scopes[:-1], *stack.node.walk()):
            if construct.node.dependencies and self.below(construct):
                for dependency in construct.node.dependencies:
                    found |= self.stacks_below(dependency)
        return found - {stack}

    def stacks_below(self, construct: Construct) -> set[Stack]:
        """Return the stacks of the elements at and below a construct."""
        if construct not in self._stacks:
            others = {self.stack_of[element] for element in self.below(construct)}
            self._stacks[construct] = {stack for stack in others if stack is not None}
        return self._stacks[construct]

    def stacks_in_order(self) -> tuple[list[Stack], list[Stack]]:
        """Return the stacks, each after those that it needs, and those that are in a cycle or behind one."""
        return sorted_by({stack: self.needed_stacks(stack) for stack in self.app.stacks})

    def stacks_in_cycle(self) -> list[Stack]:
        """Return the stacks that need one another, in the order of the program; none when all can be deployed."""
        _, left = self.stacks_in_order()
        # Those that only wait for a cycle are not part of one.
        while waiting := [stack for stack in left if not any(stack in self.needed_stacks(other) for other in left)]:
            left = [stack for stack in left if stack not in waiting]
        return left


def _made_by(element: Element) -> Element:
    """Return the element whose creation creates this one."""
    scope = element.node.scope
    return scope if isinstance(element, Encrypted) and isinstance(scope, EncryptedVars) else element
