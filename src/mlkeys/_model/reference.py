# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""References: values of constructs that can stand anywhere in text, and that each target renders in its own way.

A reference is a string. Where the program sets its value, comparisons, `len`, `in` and all methods see that value.
Formatted into text (by an f-string, `+`, `%s`, `str`) it becomes a mark with the path of its construct and the
attribute, which targets render. A program that looks into such a text sees the value; only formats with more in them
make plain strings, which cannot know who looks, unless the source says it (`looked_into`). In aspects and validations
a reference becomes its value. A value that only exists after deployment is a mark from the start, and raises an error
when a program looks into it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any, NoReturn, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._model.location import is_ours
from mlkeys._model.looked_into import Use, use_of
from mlkeys._model.marks import has_marks, known, mark, resolved
from mlkeys._model.tree import Construct

T = TypeVar("T")

#: Set while aspects and validations look at the tree, which has all values then. They decide by texts such as
#: `f"{key.backend}/{key.name}"`, and a mark in one would never be what they compare it with.
looking: ContextVar[bool] = ContextVar("looking", default=False)


class Reference(str):
    """The value of a construct's attribute, as a string.

    Pass it on whole, or in an f-string, so that what uses it depends on the construct. Compare the reference itself, or
    what `str` and `+` make of it. Formats with more in them (`f"{backend}/{name}"`) show the values in aspects and
    validations, and where the same expression looks into them. Elsewhere such a text is equal to nothing else. Values
    that only exist after deployment, such as a ciphertext, can only be passed on: comparing them or calling their
    methods raises an error.
    """

    __slots__ = ("attribute", "construct")

    construct: Construct
    attribute: str

    def __new__(cls, construct: Construct, attribute: str) -> Reference:  # noqa: PYI034  it may be a subclass
        value = known(construct, attribute)
        kind = _Pending if value is None else Reference
        self = str.__new__(kind, mark(construct.node.path, attribute) if value is None else value)
        self.construct = construct
        self.attribute = attribute
        return self

    def __deepcopy__(self, _memo: object) -> Reference:
        return self

    def __copy__(self) -> Reference:
        return self

    def __repr__(self) -> str:
        return f"<{self.construct.node.path}.{self.attribute}>"

    def __str__(self) -> str:
        return self._as_text()

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else self._as_text()

    def __add__(self, other: str) -> str:
        return self._added("", other)

    def __radd__(self, other: str) -> str:
        return self._added(other, "")

    def _as_text(self) -> str:
        """Return what formatting makes of it: for this package the mark, as a string and nothing else."""
        if _is_for_us():
            return self._marked()
        if looking.get() and self._is_known():
            return self
        return self._seen_value() if self._is_looked_into() else _Text(self.construct, self._marked())

    def _added(self, before: str, behind: str) -> str:
        if _is_for_us():
            return before + self._marked() + behind
        if looking.get() and self._is_known():
            return before + str.__str__(self) + behind
        if self._is_looked_into():
            return before + self._seen_value() + behind
        return _Text(self.construct, before + self._marked() + behind)

    def _is_looked_into(self) -> bool:
        """Whether the program looks into the text that it makes of this, as far as its source says.

        Raises:
            MlkeysError: it compares the text with what may be one, or looks into it later.
        """
        use = use_of(_caller())
        if use is Use.COMPARED:
            raise MlkeysError(
                f"A text with {self!r} is looked into, and is not the value: put both into one expression, such as a "
                'comparison with a literal, or make the text with +, as in key.backend + "/" + key.name'
            )
        return use is Use.LOOKED

    def _seen_value(self) -> str:
        """Return the value for a program that looks at it.

        Raises:
            MlkeysError: it has none before deployment.
        """
        return str.__str__(self)

    def _marked(self) -> str:
        return mark(self.construct.node.path, self.attribute)

    def _is_known(self) -> bool:
        """Whether its characters are the value."""
        return True

    def apply(self, function: Callable[[str], T]) -> T:
        """Call a function with the value."""
        return function(str.__str__(self))

    def _refuse(self) -> NoReturn:
        raise MlkeysError(
            f"{self!r} has no value before deployment: pass it on whole or in an f-string, "
            "or compute with it in the template of a HostConfig"
        )


def _is_for_us() -> bool:
    """Whether this package itself called the method that calls a method that asks."""
    return is_ours(_caller().f_code.co_filename)


def _caller() -> FrameType:
    """Return the frame that made a text, for what is called by a method that it calls."""
    frame = sys._getframe(4)  # noqa: SLF001  see call_site
    # Constructs such as a ciphertext are formatted as one of their references.
    while frame.f_code.co_name in ("__format__", "__str__") and is_ours(frame.f_code.co_filename) and frame.f_back:
        frame = frame.f_back
    return frame


class _Pending(Reference):  # noqa: PLW1641  `__hash__` is set below
    """A reference whose value only exists after deployment."""

    __slots__ = ()

    def _is_known(self) -> bool:
        return False

    def _seen_value(self) -> str:
        self._refuse()

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, float)):
            # A version is a number on the server.
            self._refuse()
        if not isinstance(other, str):
            return NotImplemented
        return str(self) == str(other) or self._refuse()

    def __ne__(self, other: object) -> bool:
        return NotImplemented if not isinstance(other, (str, int, float)) else not self == other

    def __format__(self, spec: str) -> str:
        return self._refuse() if spec else self._as_text()


def _refusing(self: _Pending, *_arguments: Any, **_keywords: Any) -> NoReturn:
    self._refuse()


_PASSING_ON = {"join", "format", "format_map", "maketrans"}
_OPERATORS = ("contains", "getitem", "iter", "len", "lt", "le", "gt", "ge", "mod", "hash", "int", "float", "index")
for _name in (
    *(name for name in vars(str) if not name.startswith("_") and name not in _PASSING_ON),
    *(f"__{name}__" for name in _OPERATORS),
    "apply",
):
    setattr(_Pending, _name, _refusing)


class _Text(Reference):
    """A text with marks of references. A program that looks into it sees their values."""

    __slots__ = ()

    def __new__(cls, construct: Construct, marked: str) -> _Text:  # noqa: PYI034  there are no subclasses
        self = str.__new__(cls, marked)
        self.construct = construct
        return self

    __repr__ = str.__repr__

    def __format__(self, spec: str) -> str:
        return format(self._value(), spec) if spec else self._as_text()

    def __int__(self) -> int:
        return int(self._value())

    def __float__(self) -> float:
        return float(self._value())

    def apply(self, function: Callable[[str], T]) -> T:
        return function(self._value())

    def _marked(self) -> str:
        return str.__str__(self)

    def _is_known(self) -> bool:
        return False

    def _seen_value(self) -> str:
        return self._value()

    def _value(self) -> str:
        """Return the text with the values of its references.

        Raises:
            MlkeysError: one has no value before deployment.
        """
        return resolved(self.construct, self._marked())


def _looking(name: str) -> Callable[..., Any]:
    look = getattr(str, name)

    def method(self: _Text, *arguments: Any, **keywords: Any) -> Any:
        if is_ours(sys._getframe(1).f_code.co_filename):  # noqa: SLF001  see call_site
            return look(self._marked(), *arguments, **keywords)
        return look(self._value(), *map(_seen, arguments), **keywords)

    return method


def _seen(value: object) -> object:
    """Return what a program sees of what it compares a text with."""
    if isinstance(value, _Text):
        return value._value()  # noqa: SLF001  of this module
    return value._refuse() if isinstance(value, _Pending) else value  # noqa: SLF001


for _name in (
    *(name for name in vars(str) if not name.startswith("_") and name not in _PASSING_ON),
    *(f"__{name}__" for name in _OPERATORS if name not in ("int", "float", "index")),
    *("__eq__", "__ne__"),
):
    setattr(_Text, _name, _looking(_name))


def legible(construct: Construct, value: T) -> T:
    """Return data in whose texts a program sees the values of references, also where a format made the texts."""
    return _with_texts(value, lambda text: _Text(construct, text))


def seen(construct: Construct, value: T) -> T:
    """Return data with the values of references. What has none before deployment cannot be looked into."""

    def value_of(text: str) -> str:
        try:
            return resolved(construct, text)
        except MlkeysError:
            return _Text(construct, text)

    return _with_texts(value, value_of)


def _with_texts(value: T, change: Callable[[str], str]) -> T:
    """Return data in which the texts with marks are others."""
    found: Any = value
    if type(found) is str:
        return change(found) if has_marks(found) else found  # type: ignore[return-value]
    if isinstance(found, Mapping):
        found = {name: _with_texts(part, change) for name, part in found.items()}
    elif type(found) in (list, tuple):
        found = type(found)(_with_texts(part, change) for part in found)
    return found  # type: ignore[no-any-return]


def is_seen_by_program(depth: int = 2) -> bool:
    """Whether an aspect or a validation of the program reads an attribute.

    Args:
        depth: how many calls are between that and this one.
    """
    return looking.get() and not is_ours(sys._getframe(depth).f_code.co_filename)  # noqa: SLF001  see call_site


def seen_by_program(construct: Construct, value: T) -> T:
    """Return the value of an attribute for who reads it: for an aspect or a validation, as `seen`."""
    return seen(construct, value) if is_seen_by_program(3) else value
