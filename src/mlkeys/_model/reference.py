# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""References: values of constructs that can stand anywhere in text, and that each target renders in its own way.

A reference is a string. Where the program sets its value, comparisons, `len`, `in` and all methods see that value.
Formatted into text (by an f-string, `+`, `%s`, `str`) it becomes a mark with the path of its construct and the
attribute, which targets render. A value that only exists after deployment is a mark from the start, and raises an error
when a program looks into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._model.tree import Construct

T = TypeVar("T")

# From the private use area of Unicode: no text of a program has them by accident.
_BEGIN, _MIDDLE, _END = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_MIDDLE}([a-z_0-9]+){_END}")
_STRAY = re.compile(f"[{_BEGIN}{_MIDDLE}{_END}]|\\\\u[eE]00[012]")


class Reference(str):
    """The value of a construct's attribute, as a string.

    Pass it on whole, or in an f-string, so that what uses it depends on the construct. Values that only exist after
    deployment, such as a ciphertext, can only be passed on: comparing them or calling their methods raises an error.
    """

    __slots__ = ("attribute", "construct")

    construct: Construct
    attribute: str

    def __new__(cls, construct: Construct, attribute: str) -> Reference:  # noqa: PYI034  it may be a subclass
        known = _known(construct, attribute)
        kind = _Pending if known is None else Reference
        self = str.__new__(kind, _mark(construct, attribute) if known is None else known)
        self.construct = construct
        self.attribute = attribute
        return self

    def __repr__(self) -> str:
        return f"<{self.construct.node.path}.{self.attribute}>"

    def __str__(self) -> str:
        return _mark(self.construct, self.attribute)

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else str(self)

    def __add__(self, other: str) -> str:
        return str(self) + other

    def __radd__(self, other: str) -> str:
        return other + str(self)

    def apply(self, function: Callable[[str], T]) -> T:
        """Call a function with the value."""
        return function(str.__str__(self))

    def _refuse(self) -> NoReturn:
        raise MlkeysError(
            f"{self!r} has no value before deployment: pass it on whole or in an f-string, "
            "or compute with it in the template of a HostConfig"
        )


def _mark(construct: Construct, attribute: str) -> str:
    return f"{_BEGIN}{construct.node.path}{_MIDDLE}{attribute}{_END}"


def _known(construct: Construct, attribute: str) -> str | None:
    """Return the value that the program sets, None when there is none before deployment."""
    find = getattr(construct, "known", None)
    value = find(attribute) if find is not None else None
    if value is None:
        return None
    done = []
    for part in parts(value if isinstance(value, str) else str(value)):
        if isinstance(part, Target):
            owner = construct.node.root.node.find(part.path)
            inner = None if owner is None else _known(owner, part.attribute)
            if inner is None:
                return None
            done.append(inner)
        else:
            done.append(part)
    return "".join(done)


class _Pending(Reference):  # noqa: PLW1641  `__hash__` is set below
    """A reference whose value only exists after deployment."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return NotImplemented
        return str(self) == str(other) or self._refuse()

    def __ne__(self, other: object) -> bool:
        return NotImplemented if not isinstance(other, str) else not self == other

    def __format__(self, spec: str) -> str:
        return self._refuse() if spec else str(self)


def _refusing(self: _Pending, *_arguments: Any, **_keywords: Any) -> NoReturn:
    self._refuse()


_PASSING_ON = {"join", "format", "format_map", "maketrans"}
_OPERATORS = ("contains", "getitem", "iter", "len", "lt", "le", "gt", "ge", "mod", "hash")
for _name in (
    *(name for name in vars(str) if not name.startswith("_") and name not in _PASSING_ON),
    *(f"__{name}__" for name in _OPERATORS),
    "apply",
):
    setattr(_Pending, _name, _refusing)


@dataclass(frozen=True, slots=True)
class Target:
    """The construct and attribute that a reference points to."""

    path: str
    attribute: str


def parts(text: str) -> list[str | Target]:
    """Split a text at its references; no part is empty."""
    found: list[str | Target] = []
    end = 0
    # A reference itself shows its value; as a string it is its mark.
    text = str(text)
    for match in _MARKED.finditer(text):
        if match.start() > end:
            found.append(text[end : match.start()])
        found.append(Target(match[1], match[2]))
        end = match.end()
    if end < len(text):
        found.append(text[end:])
    return found


def targets(text: str) -> Iterable[Target]:
    """Return the references in a text."""
    text = str(text)
    return (Target(match[1], match[2]) for match in _MARKED.finditer(text)) if _BEGIN in text else ()


def damage(text: str) -> str | None:
    """Return what is wrong with the references in a text, None when nothing is."""
    if _STRAY.search(_MARKED.sub("", str(text))):
        return (
            "a reference was cut apart or encoded (by slicing, json.dumps, repr, …); "
            "pass it on whole, or in an f-string"
        )
    return None
