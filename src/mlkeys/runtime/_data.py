# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of nested data, with their types."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from types import UnionType
from typing import Any, Union, get_args, get_origin

from mlkeys.runtime._errors import SecretsError

_NONE = object()
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def text_of(name: str, content: bytes) -> str:
    """The text of a secret.

    Raises:
        SecretsError: it is none.
    """
    # The error that says so would hold the value, also as the context of another.
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8")
    raise SecretsError(f"'{name}' is not UTF-8 text. Use as_bytes('{name}').")


def content_of(content: bytes) -> bytes:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import as_content  # noqa: PLC0415

    return as_content(content)


def field_of(name: str, hint: Any, content: bytes) -> Any:
    """A secret as the value of a field with this annotation.

    Raises:
        SecretsError: it is none of the type. The message repeats no value.
    """
    if type(content) is not bytes and content == b"null" and type(None) in get_args(hint):
        return None
    kind = _without_none(hint)
    if kind is bytes:
        return content
    text = text_of(name, content)
    if not isinstance(kind, type) or kind is str:
        return text
    value = text if type(content) is bytes else _decoded(name, content)
    if type(value) is kind:
        return value
    found: Any = _NONE
    if kind is bool:
        found = _FLAGS.get(text.strip().lower(), _NONE)
    else:
        # The error of the type may hold the value, also as the context of another.
        with suppress(Exception):
            found = kind(text)
    if found is _NONE:
        raise SecretsError(f"'{name}' is not a value of the type {kind.__name__}, which the field of this name has.")
    return found


def _without_none(hint: Any) -> Any:
    """The type of an optional field."""
    if get_origin(hint) not in (Union, UnionType):
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 else hint


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
