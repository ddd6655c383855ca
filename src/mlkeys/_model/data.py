# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Nested plain data: mappings, lists and scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlkeys._model.not_text import NotText


def texts_in(data: object) -> Iterable[str]:
    """Yield every string in nested data, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield from texts_in(name) if isinstance(name, NotText) else (str(name),)
            yield from texts_in(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from texts_in(value)


def named_texts_in(data: object, name: str = "") -> Iterable[tuple[str, str]]:
    """Yield every string that is a value in nested data, with its name and those that it is in."""
    if isinstance(data, str):
        # A reference is its mark, as in `str`.
        yield str(name), str(data)
    elif isinstance(data, Mapping):
        given = data.get("name"), data.get("value")
        if isinstance(given[0], str) and isinstance(given[1], str):
            # As manifests have variables.
            yield str(given[0]), str(given[1])
        for key, value in data.items():
            own = "" if isinstance(key, NotText) else str(key)
            yield from named_texts_in(value, f"{name}.{own}" if name else own)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from named_texts_in(value, name)


def mapped(data: Any, change: Callable[[str], Any]) -> Any:
    """Return the data with each string changed; keys stay."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        return {str(name): mapped(value, change) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [mapped(value, change) for value in data]
    return data
