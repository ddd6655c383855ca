# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program shows of its work."""

from __future__ import annotations

from collections.abc import Iterable

from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._errors import MlkeysError
from mlkeys._model.element import Element
from mlkeys._model.reference import targets
from mlkeys._model.secret import Secret
from mlkeys._model.stack import Stack
from mlkeys._model.tree import Construct, ambient


class Output(Element):
    """A named value that `mlkeys output` shows; plaintext only when asked for, and never from a file."""

    plaintext_fields = frozenset({"value"})
    runtime_fields = frozenset({"value"})

    def __init__(self, scope: Construct, name: str, value: object, description: str) -> None:
        super().__init__(scope, f"output-{name}")
        self.name = name
        if isinstance(value, (Encrypted, Decrypted)):
            value = str(value)
        self.value = value if isinstance(value, (str, int, bool)) else ""
        if isinstance(value, Secret):
            self.node.add_problem("a secret cannot be an output: export what encrypt() makes of it")
        elif not isinstance(value, (str, int, bool)):
            self.node.add_problem(f"an output is text, a number or a truth value, not a {type(value).__name__}")
        self.description = description

    @property
    def sensitive(self) -> bool:
        """Whether a plaintext is part of it."""
        found = (self.node.root.node.find(target.path) for target in targets(str(self.value)))
        return any(isinstance(construct, Decrypted) for construct in found)

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "value", str(self.value)
        yield "description", self.description


def export(
    name: str,
    value: str | int | bool | Encrypted | Decrypted | Secret,
    *,
    scope: Construct | None = None,
    description: str = "",
) -> Output:
    """Show a value under a name, by `mlkeys output`: one of the stack of the value, else of the one around."""
    place = scope or _stack_of_value(value) or ambient.get()
    if place is None:
        raise MlkeysError(f"there is no stack for the output {name!r}: say export({name!r}, …, scope=stack)")
    return Output(place, name, value, description)


def _stack_of_value(value: object) -> Construct | None:
    """The stack of what a value refers to."""
    construct = getattr(value, "construct", value)
    return construct.node.nearest(Stack) if isinstance(construct, Element) else None
