# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of nested data, with their types."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from mlkeys.runtime._errors import SecretsError

_NONE = object()


def value_of(name: str, known: Collection[str], as_bytes: Callable[[str], bytes]) -> Any:
    """The value of a secret, or the data with all secrets below a name.

    Raises:
        SecretsError: one does not decrypt, or is neither text nor JSON as its file says.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (  # noqa: PLC0415
        chosen,
        nested,
    )

    below = [path for path in chosen([name], known)[name] if path != name]
    if not below:
        return _decoded(name, as_bytes(name))
    # The name comes first in each path, whatever it is.
    data = nested({f"x{path[len(name) :]}": _decoded(path, as_bytes(path)) for path in below})
    return data["x"]


def _decoded(name: str, content: bytes) -> Any:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded  # noqa: PLC0415

    value: Any = _NONE
    # The error that says so would hold the value, also as the context of another.
    with suppress(ValueError):
        value = decoded(content)
    if value is _NONE:
        raise SecretsError(f"'{name}' is neither text nor JSON. Use as_bytes('{name}').")
    return value
