# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values as leaves of nested data: with their types, and with the paths that they have in a file for such data.

The collection's modules must be importable before the paths are asked for.
"""

from __future__ import annotations

import json

from mlkeys._import.values import NOTHING, NUMBER, TRUTH, Index, Value


def typed(value: Value) -> object:
    """What a reader of the source gets for a value: a number, true or false, or null, or an empty mapping or list."""
    import yaml

    if value.kind == NOTHING:
        return yaml.safe_load(value.shape or "null")
    if value.kind not in (NUMBER, TRUTH):
        return value.text
    try:
        return json.loads(value.text)
    except ValueError:
        # What YAML writes in more ways than JSON.
        return yaml.safe_load(value.text)


def parts_of(value: Value) -> list[str | int]:
    """The keys and indexes that lead to a value."""
    return [int(part) if isinstance(part, Index) else part for part in value.path]


def path_of(value: Value) -> str:
    """The path of a value in a file for nested data."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import joined

    return joined(parts_of(value))


def path_problem(path: str) -> str:
    """Why a file for nested data cannot have this path, empty if it can."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import leaf_problems

    return "; ".join(leaf_problems([path]))
