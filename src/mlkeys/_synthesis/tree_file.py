# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The file `tree.json`: constructs with their places, attributes and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from mlkeys._model.attributes import Value
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.marks import has_marks, parts
from mlkeys._model.stack import Root
from mlkeys._model.tree import Construct

#: Modules whose classes are public in `mlkeys.transit`; those of all others are in `mlkeys`.
_TRANSIT = frozenset(
    f"_constructs.{name}" for name in ("approle", "auth", "backend", "encryption", "key", "policy", "signing")
)


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
        entry["children"] = _Below(construct, addresses)
    return entry


class _Below(Mapping[str, Any]):
    """The constructs below one, each made when it is written: together they take as much memory as the whole app."""

    def __init__(self, above: Construct, addresses: Mapping[str, Mapping[str, str]]) -> None:
        self._node = above.node
        self._addresses = addresses

    def __getitem__(self, name: str) -> dict[str, Any]:
        child = self._node.child(name)
        if child is None:
            raise KeyError(name)
        return tree_of(child, self._addresses)

    def __iter__(self) -> Iterator[str]:
        return (child.node.id for child in self._node.children)

    def __len__(self) -> int:
        return len(self._node.children)


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
        return _readable(value)
    if isinstance(value, tuple):
        return [_readable(text) for text in value]
    return {_readable(name): _readable(text) for name, text in value.items()} if isinstance(value, Mapping) else value


def _readable(text: str) -> str:
    text = str(text)
    return _with_names(text) if has_marks(text) else text


@lru_cache(maxsize=1024)
def _with_names(text: str) -> str:
    return "".join(str(part) for part in parts(text))
