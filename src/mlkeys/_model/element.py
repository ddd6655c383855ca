# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What constructs have in common that become something on a server or a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

from mlkeys._model.attributes import Value, checked, unknown_problem
from mlkeys._model.location import call_site
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared.schema import Attribute

Target = Literal["ansible", "terraform"]


class Element(Construct):
    """A construct whose values others may refer to, and which may hold such references in its own texts."""

    #: Values that only exist once the program is deployed.
    RUNTIME: ClassVar[frozenset[str]] = frozenset()
    #: Those of them that are plaintext.
    SENSITIVE: ClassVar[frozenset[str]] = frozenset()
    #: Texts of its own in which plaintext may stand, because no file will hold it.
    plaintext_fields: frozenset[str] = frozenset()
    #: Texts of its own in which values may stand that only exist at deployment.
    runtime_fields: frozenset[str] = frozenset()

    def known(self, _attribute: str, /) -> object | None:
        """The value of an attribute as far as the program says it, None when it does not."""
        return None

    def texts(self) -> Iterable[tuple[str, str]]:
        """Every text that the program gave, under the name of its attribute."""
        return ()

    def _reference(self, attribute: str) -> Reference:
        return Reference(self, attribute)


class Resource(Element):
    """An element that is described by a table of attributes."""

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]]
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    #: False for what is already there and is only referred to.
    managed: bool = True

    def __init__(self, scope: Construct | str, id_: str | None, attributes: Mapping[str, object]) -> None:
        super().__init__(*((scope,) if id_ is None else (scope, id_)))
        self._values: dict[str, Value] = {}
        self.overrides: tuple[tuple[Target | None, str, Any], ...] = ()
        self._take(attributes)
        for name in self.REQUIRED:
            if attributes.get(name) is None:
                self.node.add_problem(f"{name} is missing")

    @classmethod
    def _existing(cls, scope: Construct | str, id_: str | None, attributes: Mapping[str, object]) -> Self:
        made = cls.__new__(cls)
        Resource.__init__(made, scope, id_, attributes)
        made.managed = False
        return made

    def _take(self, attributes: Mapping[str, object]) -> None:
        for name, value in attributes.items():
            attribute = self.ATTRIBUTES.get(name)
            if attribute is None:
                self.node.add_problem(unknown_problem(name, self.ATTRIBUTES), call_site())
            elif value is None:
                self._values.pop(name, None)
            else:
                try:
                    self._values[name] = checked(attribute, value)
                except ValueError as problem:
                    self.node.add_problem(str(problem), call_site())

    @property
    def values(self) -> Mapping[str, Value]:
        """The attributes that the program gave, in their one form."""
        return self._values

    def known(self, attribute: str, /) -> Value | None:
        return self._values.get(attribute)

    def texts(self) -> Iterable[tuple[str, str]]:
        for name, value in self._values.items():
            if isinstance(value, str):
                yield name, value
            elif isinstance(value, tuple):
                yield from ((name, text) for text in value)
            elif isinstance(value, Mapping):
                yield from ((name, text) for pair in value.items() for text in pair)

    def add_override(self, path: str, value: object, /, *, target: Target | None = None) -> None:
        """Set what this package has no attribute for, in what one target (or each) is given.

        The path is dotted (`lifecycle.prevent_destroy`); the value is plain data, and None takes the entry away.
        """
        self.overrides += ((target, path, value),)
