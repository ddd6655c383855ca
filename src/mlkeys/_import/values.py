# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a source holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlkeys._errors import MlkeysError

TEXT = "text"
NUMBER = "a number"
TRUTH = "true or false"
DATE = "a date"
NOTHING = "nothing"

#: What can be written as text, as it stands in the source.
SCALARS = (NUMBER, TRUTH, DATE)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a source.

    Attributes:
        path: the names that lead to it, from the outermost on; a place in a list is its number.
        text: as it is written in the source; empty where that is no text.
        kind: `TEXT`, another of these words, or other words for what it is.
        line: where it stands; 0 when that is not known.
        was_secret: whether the source kept it encrypted.
    """

    path: tuple[str, ...]
    text: str = field(repr=False)
    kind: str = TEXT
    line: int = 0
    was_secret: bool = True

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def place(self) -> str:
        return f"{self.name} (line {self.line})" if self.line else self.name


@dataclass(frozen=True, slots=True)
class Source:
    """A source and its values.

    Attributes:
        reference: what in a text would be replaced by something else where the source is used, if anything would.
    """

    path: str
    values: tuple[Value, ...]
    reference: re.Pattern[str] | None = None


class Number(str):
    """A number of a JSON text, as it is written there."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, one for each time that a name is there."""


def walk(content: Any, path: tuple[str, ...] = ()) -> Iterable[Value]:
    """The values of a JSON text."""
    if isinstance(content, (Members, list)) and content:
        members = content if isinstance(content, Members) else enumerate(content)
        for name, inner in members:
            yield from walk(inner, (*path, str(name)))
    elif isinstance(content, Number):
        yield Value(path, str(content), NUMBER)
    elif isinstance(content, bool):
        yield Value(path, "true" if content else "false", TRUTH)
    elif isinstance(content, str):
        yield Value(path, content)
    else:
        yield Value(path, "", NOTHING)


def without_default_section(values: Sequence[Value]) -> list[Value]:
    """What stands before the first section of an INI file is in none."""
    return [
        Value(value.path[1:], value.text, value.kind) if len(value.path) > 1 and value.path[0] == "DEFAULT" else value
        for value in values
        # That there is nothing before it is nothing of the file.
        if value.path != ("DEFAULT",)
    ]


def refuse(path: str, problems: Sequence[str]) -> None:
    """End with all problems of a source at once.

    Raises:
        MlkeysError: there are any.
    """
    if problems:
        count = "1 thing" if len(problems) == 1 else f"{len(problems)} things"
        raise MlkeysError(
            "\n".join([f"{path}: {count} to decide first. Nothing was written.", *(f"  {one}" for one in problems)])
        )
