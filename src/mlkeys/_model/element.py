# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Base classes of the constructs that become something on a server or a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self, get_args

from mlkeys._model.attributes import Value, checked, choice_problem, unknown_problem
from mlkeys._model.data import texts_in
from mlkeys._model.location import call_site
from mlkeys._model.not_text import instead
from mlkeys._model.reference import Reference, seen_by_program
from mlkeys._model.tree import Construct
from mlkeys._model.types import TEXT, TEXTS, all_now, named_now, now, optional, report_foreign, taken
from mlkeys._shared._attributes.attribute import Attribute

Target = Literal["ansible", "terraform"]

#: Attributes that say which object it is.
_IDENTITY = ("backend", "name", "path")


class Element(Construct):
    """A construct with values that others may refer to. Its own strings may hold such references."""

    #: Attributes whose values only exist after deployment.
    RUNTIME: ClassVar[frozenset[str]] = frozenset()
    #: Those whose values are plaintext.
    SENSITIVE: ClassVar[frozenset[str]] = frozenset()
    #: Fields whose texts may be random without being secrets, such as signatures.
    PUBLIC: ClassVar[frozenset[str]] = frozenset()
    #: Fields in which plaintext may stand, because no file holds it.
    plaintext_fields: frozenset[str] = frozenset()
    #: Fields in which values that only exist after deployment may stand.
    runtime_fields: frozenset[str] = frozenset()

    def known(self, _attribute: str, /) -> object | None:
        """Return the value that the program sets for an attribute, None when it sets none."""
        return None

    def texts(self) -> Iterable[tuple[str, str]]:
        """Return every string that the program gives, with the name of its field."""
        return ()

    def named(self) -> Iterable[tuple[str, object]]:
        """Return data in which names say what texts are, with the names of its fields."""
        return ()

    def _reference(self, attribute: str) -> Reference:
        return Reference(self, attribute)


class Resource(Element):
    """An element described by a table of attributes."""

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]]
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    #: What of an object fits as the value of an attribute, as in `NotText.OFFERS`.
    WANTED: ClassVar[Mapping[str, str]] = {}
    #: False for what already exists and is only referred to.
    managed: bool = True

    def __init__(self, scope: Construct | str, id_: str | None, attributes: Mapping[str, object]) -> None:
        super().__init__(*((scope,) if id_ is None else (scope, id_)))
        self._values: dict[str, Value] = {}
        self.overrides: tuple[tuple[Target | None, str, Any], ...] = ()
        self.aliases = all_now(self, "aliases", optional(self, "aliases", attributes.get("aliases"), TEXTS) or ())
        self._take({name: value for name, value in attributes.items() if name != "aliases"})
        for name in self.REQUIRED:
            if attributes.get(name) is None:
                self.node.add_problem(f"{name} is required")

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
                if self._values.pop(name, None) is not None and name in _IDENTITY:
                    self.node.add_problem(f"{name} cannot be unset", call_site())
            else:
                try:
                    found = checked(attribute, value)
                    self._values[name] = named_now(self, name, found) if isinstance(found, dict) else found
                except ValueError as problem:
                    end = instead(value, self.WANTED.get(name, ""))
                    self.node.add_problem(f"{problem}{end}", call_site())

    @property
    def values(self) -> Mapping[str, Value]:
        """The attributes that the program sets, normalised."""
        return seen_by_program(self, self._values)

    def known(self, attribute: str, /) -> Value | None:
        return self._values.get(attribute)

    def texts(self) -> Iterable[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for name, value in self._values.items():
            if isinstance(value, str):
                found.append((name, value))
            elif isinstance(value, tuple):
                found += [(name, text) for text in value]
            elif isinstance(value, dict):
                found += [(name, text) for pair in value.items() for text in pair]
        found += [("aliases", name) for name in self.aliases]
        for _, path, value in self.overrides:
            found.append(("override", path))
            found += [("override", text) for text in texts_in(value)]
        return found

    def add_override(self, path: str, value: object, /, *, target: Target | None = None) -> None:
        """Set an option of the generated task or resource that this package has no keyword for.

        Args:
            path: dotted path of the option, such as `lifecycle.prevent_destroy`.
            value: plain data; None removes the option.
            target: `"ansible"` or `"terraform"`. Default: both.
        """
        if target is not None and (problem := choice_problem("target", target, get_args(Target))):
            self.node.add_problem(problem, call_site())
            return
        report_foreign(self, "the override", value, wanted="name")
        where = now(self, "the path of an override", taken(self, "the path of an override", path, TEXT))
        self.overrides += ((target, where, named_now(self, "the override", value)),)
