# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Validates and normalises the attributes that a program sets on a construct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from mlkeys._model.duration import Duration
from mlkeys._providers.literals import shown
from mlkeys._shared._attributes.attribute import Attribute
from mlkeys._shared.suggestions import did_you_mean

Value: TypeAlias = str | bool | int | Duration | tuple[str, ...] | Mapping[str, str]


def checked(attribute: Attribute, value: object) -> Value:
    """Return the value in the form that targets expect.

    Raises:
        ValueError: it has the wrong type or form.
    """
    return _CHECKS[attribute.kind](attribute.name, value)


def unknown_problem(word: str, known: Iterable[str], kind: str = "keyword") -> str:
    """Return the message about a name that does not exist."""
    names = sorted(known)
    return f"unknown {kind} {word!r}.{_hint(word, names)}"


def choice_problem(name: str, value: object, choices: Sequence[str]) -> str | None:
    """Return the message about a value that is not one of the choices, None when it is one."""
    if not isinstance(value, str):
        return _wrong(name, "a string", value)
    if value in choices:
        return None
    return f"{name}={shown(value)} is not a valid choice.{_hint(value, choices)}"


def _hint(word: str, known: Sequence[str]) -> str:
    return did_you_mean(word, known) or (f" Choices: {', '.join(known)}." if known else "")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_wrong(name, "a string", value))
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_wrong(name, "True or False", value))
    return value


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(_wrong(name, "an integer", value))
    return value


def _duration(name: str, value: object) -> Duration:
    if isinstance(value, Duration):
        value = value.seconds
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(_wrong(name, "a duration such as '30d', 3600 or Duration.days(30)", value))
    try:
        return Duration.parse(value)
    except ValueError as problem:
        raise ValueError(f"{name}: {problem}") from None


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not _all_text(value):
        raise ValueError(_wrong(name, "a list of strings", value))
    return tuple(value)


def _mapping(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not (_all_text(value.keys()) and _all_text(value.values())):
        raise ValueError(_wrong(name, "a dictionary of strings", value))
    return dict(value)


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _wrong(name: str, expected: str, value: object) -> str:
    return f"{name} must be {expected}, not {shown(value)}"


_CHECKS: Mapping[str, Callable[[str, object], Value]] = {
    "str": _text,
    "bool": _flag,
    "int": _number,
    "duration": _duration,
    "list": _texts,
    "dict": _mapping,
}
