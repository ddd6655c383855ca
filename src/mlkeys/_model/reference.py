# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""References: placeholders for values of constructs, which each target renders in its own way.

A reference is a `str` that holds the path of its construct and an attribute between two marks. It survives
f-strings, concatenation, `join` and `replace`; what cuts it apart is found and refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn, Self

from mlkeys._errors import MlkeysError
from mlkeys._model.tree import Construct

# From the private use area of Unicode: no text of a program has them by accident.
_BEGIN, _MIDDLE, _END = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_MIDDLE}([a-z_0-9]+){_END}")
_STRAY = re.compile(f"[{_BEGIN}{_MIDDLE}{_END}]|\\\\u[eE]00[012]")


class Reference(str):
    """The value of a construct's attribute, as a string that stands for it.

    Pass it on whole: as a keyword, in an f-string, or joined with other strings. The value itself may only exist after
    deployment.
    """

    __slots__ = ("attribute", "construct")

    construct: Construct
    attribute: str

    def __new__(cls, construct: Construct, attribute: str) -> Self:
        self = super().__new__(cls, f"{_BEGIN}{construct.node.path}{_MIDDLE}{attribute}{_END}")
        self.construct = construct
        self.attribute = attribute
        return self

    def __repr__(self) -> str:
        return f"<{self.construct.node.path}.{self.attribute}>"

    def apply(self, _function: Callable[[str], object]) -> NoReturn:
        """Raise an error: the value is only known at deployment, so no function can be applied to it."""
        raise MlkeysError(
            f"{self!r} has no value while files are made, so a function cannot be applied to it; "
            "pass it on, put it into an f-string, or compute in the template of a HostConfig"
        )


@dataclass(frozen=True, slots=True)
class Target:
    """The construct and attribute that a reference points to."""

    path: str
    attribute: str


def parts(text: str) -> list[str | Target]:
    """Split a text at its references; no part is empty."""
    found: list[str | Target] = []
    end = 0
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
    return (Target(match[1], match[2]) for match in _MARKED.finditer(text)) if _BEGIN in text else ()


def damage(text: str) -> str | None:
    """Return what is wrong with the references in a text, None when nothing is."""
    if _STRAY.search(_MARKED.sub("", text)):
        return (
            "a reference was cut apart or encoded (by slicing, json.dumps, repr, …); "
            "its value is not known while files are made, so it can only be passed on whole"
        )
    return None
