# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The file `tree.json`: constructs with their places, attributes and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkeys._model.attributes import Value
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.marks import parts
from mlkeys._model.stack import Root
from mlkeys._model.tree import Construct

#: Modules whose classes are public in `mlkeys.transit`; those of all others are in `mlkeys`.
_TRANSIT = frozenset(f"_constructs.{name}" for name in ("approle", "auth", "backend", "encryption", "key", "policy"))


def tree_of(construct: Construct, addresses: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a construct and all below it.

    Args:
        addresses: addresses of resources by target, by the path of their construct.
    """
    node = construct.node
    entry: dict[str, Any] = {
        "id": node.id,
        "path": node.path,
        "at": node.location_text,
        "constructInfo": {"fqn": public_name(type(construct))},
    }
    if isinstance(construct, Resource):
        entry["attributes"] = {name: _plain(value) for name, value in construct.values.items()}
    if node.path in addresses:
        entry["addresses"] = dict(addresses[node.path])
    if node.children:
        entry["children"] = {child.node.id: tree_of(child, addresses) for child in node.children}
    return entry


def public_name(kind: type[Construct]) -> str:
    """Return the name by which programs import a class of this package, else the class's own name."""
    if kind is Root:
        # Programs in the flat style make no App, but have one.
        return "mlkeys.App"
    package, _, module = kind.__module__.partition(".")
    if package != "mlkeys":
        # The module of a class of the program depends on how the program is run.
        return kind.__qualname__
    return f"{'mlkeys.transit' if module in _TRANSIT else 'mlkeys'}.{kind.__qualname__}"


def _plain(value: Value) -> object:
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, str):
        return str(_readable(value))
    if isinstance(value, tuple):
        return [_readable(text) for text in value]
    return {_readable(name): _readable(text) for name, text in value.items()} if isinstance(value, Mapping) else value


def _readable(text: str) -> str:
    return "".join(str(part) for part in parts(text))
