# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values as leaves of nested data: with their types and their paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlkeys._import.values import NOTHING, NUMBER, OTHER_NUMBER, TRUTH, Index, Value


def typed(value: Value) -> object:
    """What a reader of the source gets for a value: a number, true or false, or null, or an empty mapping or list."""
    import yaml

    if value.kind == NOTHING:
        return yaml.safe_load(value.shape or "null")
    if value.kind not in (NUMBER, OTHER_NUMBER, TRUTH):
        return value.text
    try:
        return json.loads(value.text)
    except ValueError:
        # What YAML writes in more ways than JSON.
        return yaml.safe_load(value.text)


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
