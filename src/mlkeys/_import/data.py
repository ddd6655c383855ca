# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values as leaves of nested data: with their types and their paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf

from mlkeys._import.values import NOTHING, NUMBER, OTHER_DATE, OTHER_NUMBER, TRUTH, Index, OtherKey, Value, on_one_line


def typed(value: Value) -> object:
    """What a reader of the source gets for a value: a number, true or false, or null, or an empty mapping or list.

    Dates, and what has a `type_problem`, are text as they are written.
    """
    import yaml

    if value.kind == NOTHING:
        return yaml.safe_load(value.shape or "null")
    read = _read(value) if value.kind in _TYPED else value.text
    return value.text if read is None else read


def type_problem(value: Value) -> str:
    """What a value is that cannot be stored as a reader of the source gets it; empty if it can."""
    if value.kind == OTHER_DATE:
        return value.kind
    if value.kind in _TYPED and _read(value) is None:
        return "a number that cannot be read, or is too large"
    return ""


def other_key(value: Value) -> tuple[str, str]:
    """The path to the first key of a value that is not text, and what it is instead; both empty if all keys are."""
    for count, part in enumerate(value.path, 1):
        if isinstance(part, OtherKey):
            return on_one_line(".".join(value.path[:count])), part.kind
    return "", ""


_TYPED = (NUMBER, OTHER_NUMBER, TRUTH)


def _read(value: Value) -> float | bool | None:
    """A number, or true or false, ``None`` if it is too large or none at all, as with a tag that does not fit."""
    import yaml

    try:
        read = json.loads(value.text)
    except ValueError:
        # What YAML writes in more ways than JSON. On odd text, it raises errors of its internals.
        try:
            read = yaml.safe_load(value.text)
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError):
            return None
    if not isinstance(read, (bool, int, float)):
        return None
    is_cut = isinstance(read, float) and isinf(read) and "inf" not in value.text.lower()
    return None if is_cut else read


def parts_of(value: Value) -> list[str | int]:
    """The keys and indexes that lead to a value."""
    return [int(part) if isinstance(part, Index) else part for part in value.path]


@dataclass(frozen=True, slots=True)
class Nesting:
    """How a file for nested data names its leaves.

    Attributes:
        joined: the path of keys and indexes.
        problem: why there cannot be such a path, empty if there can.
    """

    joined: Callable[[Sequence[str | int]], str]
    problem: Callable[[str], str]
