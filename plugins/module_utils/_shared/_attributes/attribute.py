# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What an attribute of a key, a mount or a role is, and when it may change.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

AT_CREATION = "at creation only"
ON_ONLY = "may be turned on, never off"
ANY_TIME = "at any time"


class Attribute(NamedTuple):
    """One attribute of a key, a mount or a role, under the API's own name.

    Attributes:
        kind: ``str``, ``bool``, ``int``, ``duration`` (seconds on the wire), ``list`` (of strings) or ``dict``.
        change: one of `AT_CREATION`, `ON_ONLY`, `ANY_TIME`.
        default: the server's value when the creating call does not set one.
        at_creation: whether the creating call accepts it (the others need the configuring call).
        server: the only product that has it, empty when both do.
    """

    name: str
    kind: str
    change: str
    description: str
    default: Any = None
    at_creation: bool = True
    server: str = ""


_WIRE = {"duration": int, "bool": bool, "int": int, "str": str, "list": list, "dict": dict}


def malformed(attributes: Iterable[Attribute], values: Mapping[str, Any]) -> str:
    """The first attribute whose value is not of its kind as the server sends it, empty when there is none."""
    for attribute in attributes:
        value = values.get(attribute.name)
        if value is not None and not isinstance(value, _WIRE[attribute.kind]):
            return attribute.name
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            return attribute.name
    return ""
