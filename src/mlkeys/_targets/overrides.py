# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Overrides: options that a program sets in the output of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlkeys._model.element import Resource, Target


def overridden(
    resource: Resource, target: Target, body: dict[str, Any], render: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return the body with the overrides of a resource for a target.

    Args:
        render: renders the references in plain data.
    """
    for for_target, path, value in resource.overrides:
        if for_target in (None, target):
            _put(body, path.split("."), render(value))
    return body


def _put(body: dict[str, Any], path: list[str], value: object) -> None:
    *above, last = path
    for part in above:
        inner = body.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = body[part] = {}
        body = inner
    if value is None:
        body.pop(last, None)
    else:
        body[last] = value
