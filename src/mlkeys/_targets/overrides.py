# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Overrides: options that a program sets in the output of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlkeys._model.element import Resource, Target

#: A block of Terraform of which a part is ours. What an override of it does not name stays.
_LIFECYCLE = "lifecycle"


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
    if last == _LIFECYCLE and isinstance(value, list) and len(value) == 1:
        # As a list of one, a block is the same block.
        (value,) = value
    if value is None:
        body.pop(last, None)
    elif last == _LIFECYCLE and isinstance(value, dict) and isinstance(body.get(last), dict):
        body[last] = {**body[last], **value}
    else:
        body[last] = value
