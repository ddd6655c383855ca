# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of a KV engine, as its API returns them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlkeys._import.values import Members, Number, Value, walk


def kv_values(data: Mapping[str, Any]) -> list[Value]:
    """The values of a secret of either version of the engine. Numbers are written as in JSON."""
    return list(walk(_members(_secret(data))))


def _secret(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The secret itself: version 2 of the engine wraps it, beside data about its versions."""
    inner, about = data.get("data"), data.get("metadata")
    if isinstance(inner, Mapping) and isinstance(about, Mapping) and "version" in about:
        return inner
    return data


def _members(content: Any) -> Any:
    if isinstance(content, Mapping):
        return Members((str(name), _members(inner)) for name, inner in content.items())
    if isinstance(content, list):
        return [_members(inner) for inner in content]
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        return Number(json.dumps(content))
    return content
