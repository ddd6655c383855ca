# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Merges blocks of Terraform JSON into one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

#: Blocks without labels, of which a configuration may have several.
_REPEATED = ("import", "moved", "removed")


class ConflictError(ValueError):
    """Two blocks set one argument to different values. The text is its path."""


def merge(into: Json, blocks: Mapping[str, Any]) -> None:
    """Merge blocks into a configuration, with their names deeply, with blocks that may be repeated one after the other.

    Raises:
        ConflictError: both set an argument, to different values.
    """
    for name, value in blocks.items():
        if name in _REPEATED:
            into[name] = [*into.get(name, []), *_listed(value)]
        elif name == "provider":
            for provider, bodies in (entry for part in _listed(value) for entry in part.items()):
                entries = into.setdefault(name, {}).setdefault(provider, [])
                for body in _listed(bodies):
                    _add_provider(entries, body, f"provider.{provider}")
        else:
            # An object may also be written as a list of parts.
            for part in _listed(value):
                _merge(into, {name: part}, "")


def with_defaults(blocks: Mapping[str, Any], defaults: Mapping[str, Any]) -> Json:
    """Return the configuration with defaults for what it does not set."""
    found = dict(blocks)
    for name, value in defaults.items():
        if isinstance(value, Mapping):
            inner = found.get(name, {})
            found[name] = with_defaults(inner, value) if isinstance(inner, Mapping) else inner
        else:
            found.setdefault(name, value)
    return found


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _add_provider(entries: list[Json], body: Json, path: str) -> None:
    same = next((entry for entry in entries if entry.get("alias") == body.get("alias")), None)
    if same is None:
        entries.append(dict(body))
    else:
        _merge(same, body, path)


def _merge(into: Json, other: Mapping[str, Any], path: str) -> None:
    for name, value in other.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value, place)
        elif name in into and into[name] != value:
            raise ConflictError(place)
        else:
            # A copy: the program's own data stays as it is.
            into[name] = dict(value) if isinstance(value, dict) else value
