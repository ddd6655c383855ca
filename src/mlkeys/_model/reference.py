# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""References: values of constructs that can stand anywhere in text, and that each target renders in its own way.

A reference is a string. Where the program sets its value, comparisons, `len`, `in` and all methods see that value.
Formatted into text (by an f-string, `+`, `%s`, `str`) it becomes a mark with the path of its construct and the
attribute, which targets render. In aspects and validations it becomes the value. A value that only exists after
deployment is a mark from the start, and raises an error when a program looks into it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._model.location import is_ours
from mlkeys._model.marks import known, mark
from mlkeys._model.tree import Construct

T = TypeVar("T")

#: Set while aspects and validations look at the tree, which has all values then. They decide by texts such as
#: `f"{key.backend}/{key.name}"`, and a mark in one would never be what they compare it with.
looking: ContextVar[bool] = ContextVar("looking", default=False)


class Reference(str):
    """The value of a construct's attribute, as a string.

    Pass it on whole, or in an f-string, so that what uses it depends on the construct. Compare the reference itself:
    only in aspects and validations does a text that was made of it (`str`, `%s`, an f-string) show the value. Elsewhere
    such a text is equal to nothing else. Values that only exist after
    deployment, such as a ciphertext, can only be passed on: comparing them or calling their methods raises an error.
    """

    __slots__ = ("attribute", "construct")

    construct: Construct
    attribute: str

    def __new__(cls, construct: Construct, attribute: str) -> Reference:  # noqa: PYI034  it may be a subclass
        value = known(construct, attribute)
        kind = _Pending if value is None else Reference
        self = str.__new__(kind, _mark(construct, attribute) if value is None else value)
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
        return self if self._is_looked_at() else _mark(self.construct, self.attribute)

    def __format__(self, spec: str) -> str:
        if spec:
            return super().__format__(spec)
        return self if self._is_looked_at() else _mark(self.construct, self.attribute)

    def __add__(self, other: str) -> str:
        return (str.__str__(self) if self._is_looked_at() else str(self)) + other

    def __radd__(self, other: str) -> str:
        return other + (str.__str__(self) if self._is_looked_at() else str(self))

    def _is_looked_at(self) -> bool:
        """Whether an aspect or a validation makes a text of it, which then shows the value."""
        return looking.get() and not is_ours(sys._getframe(2).f_code.co_filename)  # noqa: SLF001  see call_site

    def apply(self, function: Callable[[str], T]) -> T:
        """Call a function with the value."""
        return function(str.__str__(self))

    def _refuse(self) -> NoReturn:
        raise MlkeysError(
            f"{self!r} has no value before deployment: pass it on whole or in an f-string, "
            "or compute with it in the template of a HostConfig"
        )


def _mark(construct: Construct, attribute: str) -> str:
    return mark(construct.node.path, attribute)


class _Pending(Reference):  # noqa: PLW1641  `__hash__` is set below
    """A reference whose value only exists after deployment."""

    __slots__ = ()

    def _is_looked_at(self) -> bool:
        return False

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
        return self._refuse() if spec else str(self)


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
