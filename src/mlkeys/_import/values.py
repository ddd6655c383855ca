# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The values of a source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable

TEXT = "text"
NUMBER = "a number"
OTHER_NUMBER = "a number that YAML reads in another form"
TRUTH = "true or false"
DATE = "a date"
OTHER_DATE = "a date that YAML reads in another form"
NOTHING = "nothing"
SEALED = "a value that was not decrypted"

#: The kinds that --as-text imports as they are written.
SCALARS = (NUMBER, OTHER_NUMBER, TRUTH, DATE, OTHER_DATE)


class Comment(str):
    """A comment, and its line."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> Self:
        made = super().__new__(cls, text)
        made.line = line
        return made


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a source.

    Attributes:
        path: the names that lead to it, outermost first, with the index for an item of a list.
        text: the value as it is written in the source; empty if it is not a scalar.
        kind: `TEXT`, another of these constants, or a description.
        line: its line; 0 if unknown.
        was_secret: whether it was encrypted in the source.
        replaced: whether a later line of the source gives its name another value.
        reference: whether the text stands for something else.
        comments: those that belong to it, without their marks.
        apart: comments before it, or behind the last value, that belong to no value.
        problem: why it cannot be imported, although it may be a secret.
        aside: why it is not imported, if that needs no decision.
        shape: `{}` or `[]` for an empty mapping or list, which holds nothing.
    """

    path: tuple[str, ...]
    text: str = field(repr=False)
    kind: str = TEXT
    line: int = 0
    was_secret: bool = True
    replaced: bool = False
    reference: bool = False
    comments: tuple[Comment, ...] = field(default=(), repr=False, compare=False)
    apart: tuple[Comment, ...] = field(default=(), repr=False, compare=False)
    problem: str = ""
    aside: str = ""
    shape: str = ""

    @property
    def name(self) -> str:
        return on_one_line(".".join(self.path))

    @property
    def place(self) -> str:
        return f"{self.name} (line {self.line})" if self.line else self.name


@dataclass(frozen=True, slots=True)
class Source:
    """A source and its values.

    Attributes:
        advice: what to do with the source after the import.
        advice_on_rest: the same if values were left out, which exist only there; empty for no difference.
        reference: finds what users of the source replace in a value, such as templates; None for nothing.
        has_comments: whether it has comments, for a source that gives them only on demand.
        about_nothing: what users of the source make of a name without a value.
    """

    path: str
    values: tuple[Value, ...]
    reference: re.Pattern[str] | None = None
    advice: str = ""
    has_comments: bool = False
    advice_on_rest: str = ""
    about_nothing: str = ""


class Number(str):
    """A number as it is written in JSON."""

    __slots__ = ()


class Index(str):
    """The number of an item of a list, as a part of a path."""

    __slots__ = ()


class OtherKey(str):
    """A key that readers of the source read as another kind of value than text, as a part of a path.

    Attributes:
        kind: one of the constants above, or a description.
    """

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, text: str, kind: str) -> Self:
        made = super().__new__(cls, text)
        made.kind = kind
        return made


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, duplicates included."""


def on_one_line(name: str) -> str:
    return printable(name).replace("\n", "\\n")


def walk(content: Any) -> Iterable[Value]:
    """The values of parsed JSON, however deep they are."""
    waiting: list[tuple[Any, tuple[str, ...], bool]] = [(content, (), False)]
    while waiting:
        inner, path, replaced = waiting.pop()
        if isinstance(inner, (Members, list)) and inner:
            waiting += [(of, (*path, name), replaced or again) for name, of, again in reversed(_items(inner))]
        else:
            yield replace(_value(path, inner), replaced=replaced)


def _items(content: list[Any]) -> list[tuple[str, Any, bool]]:
    """The items of a list or an object, with whether a later member of the same name replaces one, as for readers."""
    if not isinstance(content, Members):
        return [(Index(number), inner, False) for number, inner in enumerate(content)]
    last = {name: number for number, (name, _) in enumerate(content)}
    return [(name, inner, last[name] != number) for number, (name, inner) in enumerate(content)]


def _value(path: tuple[str, ...], content: Any) -> Value:
    if isinstance(content, Number):
        return Value(path, str(content), NUMBER)
    if isinstance(content, bool):
        return Value(path, "true" if content else "false", TRUTH)
    if isinstance(content, str):
        return Value(path, content)
    shape = "{}" if isinstance(content, Members) else "[]" if isinstance(content, list) else ""
    return Value(path, "", NOTHING, shape=shape)


def named_apart(values: Iterable[tuple[str, Value]]) -> list[Value]:
    """Values by their own name if it has one value only, otherwise by the name of their owner and their own.

    Args:
        values: each with the name of its owner, such as a service.
    """
    listed = list(values)
    texts: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    owners: dict[tuple[str, ...], set[str]] = {}
    for owner, value in listed:
        owners.setdefault(value.path, set()).add(owner)
        if not value.replaced:
            texts.setdefault(value.path, set()).add((value.text, value.kind))
    found: dict[tuple[object, ...], Value] = {}
    for owner, value in listed:
        is_one = len(owners[value.path]) == 1 or len(texts.get(value.path, ())) == 1
        apart = value if is_one or value.problem or value.aside else replace(value, path=(owner, *value.path))
        line = value.line if value.problem or value.aside else 0
        found.setdefault((apart.path, apart.text, apart.kind, apart.replaced, line), apart)
    return list(found.values())


def without_default_section(values: Sequence[Value]) -> list[Value]:
    """Values without the section DEFAULT, which sops invents for what precedes the first section of an INI file."""
    return [
        Value(value.path[1:], value.text, value.kind) if len(value.path) > 1 and value.path[0] == "DEFAULT" else value
        for value in values
        # An empty one is not part of the file.
        if value.path != ("DEFAULT",)
    ]


def with_text_keys(value: Value) -> Value:
    """A value of a source whose users read every key as text."""
    return replace(value, path=tuple(str(part) if isinstance(part, OtherKey) else part for part in value.path))


def without_nul(values: Iterable[Value]) -> tuple[Value, ...]:
    """Values, those with a problem that no environment variable can hold: with one of them, no program would start."""
    return tuple(replace(one, text="", problem=one.problem or WITH_NUL) if "\0" in one.text else one for one in values)


WITH_NUL = "contains a NUL character, which no environment variable can"


def refuse(path: str, problems: Sequence[str]) -> None:
    """Raise an error with all problems of a source.

    Raises:
        MlkeysError: there are problems.
    """
    if problems:
        count = "1 decision" if len(problems) == 1 else f"{len(problems)} decisions"
        raise MlkeysError(
            "\n".join([f"{path}: {count} needed. Nothing was written.", *(f"  {one}" for one in problems)])
        )
