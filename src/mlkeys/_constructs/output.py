# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Outputs of a program."""

from __future__ import annotations

from collections.abc import Iterable

from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.signing import Signed
from mlkeys._errors import MlkeysError
from mlkeys._model.element import Element
from mlkeys._model.marks import targets
from mlkeys._model.not_text import instead
from mlkeys._model.reference import legible
from mlkeys._model.secret import Secret
from mlkeys._model.stack import Stack
from mlkeys._model.tree import Construct, ambient
from mlkeys._model.types import TEXT, now, taken
from mlkeys._providers.literals import kind_of


class Output(Element):
    """A value that `mlkeys output` shows; the result of `export`.

    Plaintext is shown on request only, and never written.
    """

    plaintext_fields = frozenset({"value"})
    runtime_fields = frozenset({"value"})

    def __init__(self, scope: Construct, name: str, value: object, description: str) -> None:
        super().__init__(scope, f"output-{name}")
        self.name = now(self, "name", taken(self, "name", name, TEXT))
        if isinstance(value, (Encrypted, Decrypted, Signed)):
            value = str(value)
        self.value = legible(self, value) if isinstance(value, (str, int, bool)) else ""
        if isinstance(value, Secret):
            self.node.add_problem("a secret cannot be an output: export the result of encrypt() instead")
        elif not isinstance(value, (str, int, bool)):
            self.node.add_problem(
                f"an output must be a string, a number or a flag, not {kind_of(value)}{instead(value, 'data')}"
            )
        self.description = now(self, "description", taken(self, "description", description, TEXT))

    @property
    def sensitive(self) -> bool:
        """Whether plaintext is part of it."""
        found = (self.node.root.node.find(target.path) for target in targets(str(self.value)))
        return any(isinstance(construct, Decrypted) for construct in found)

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "value", str(self.value)
        yield "description", self.description

    def named(self) -> Iterable[tuple[str, object]]:
        return (("value", {self.name: self.value}),)


def export(
    name: str,
    value: str | int | bool | Encrypted | Decrypted | Signed | Secret,
    *,
    scope: Construct | None = None,
    description: str = "",
) -> Output:
    """Add an output, which `mlkeys output` shows.

    Args:
        name: name of the output.
        value: a string, a number, a flag, a reference, or the result of `encrypt()`, `decrypt()` or `sign()`.
        scope: the construct to be below. Default: the stack of the value, else the surrounding stack.
        description: meaning of the output. Default: empty.
    """
    place = scope or _stack_of_value(value) or ambient.get()
    if place is None:
        raise MlkeysError(f"the output {name!r} is outside of a stack: set one with export({name!r}, …, scope=stack)")
    return Output(place, name, value, description)


def _stack_of_value(value: object) -> Construct | None:
    """Return the stack of the construct that a value refers to."""
    construct = getattr(value, "construct", value)
    return construct.node.nearest(Stack) if isinstance(construct, Element) else None
