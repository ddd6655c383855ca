# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of nested data, with their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, get_args

from mlkeys.runtime._errors import SecretsError
from mlkeys.runtime._fields import NONE, converted, wrong_type
from mlkeys.runtime._types import aliases_of, is_pydantic, is_scalar, is_union, takes_data, unwrapped


def text_of(name: str, content: bytes) -> str:
    """The text of a secret.

    Raises:
        SecretsError: it is not UTF-8.
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
        SecretsError: it is not of the type. The message repeats no value.
    """
    hint = unwrapped(hint)
    if hint is bytes or (is_union(hint) and bytes in map(unwrapped, get_args(hint))):
        is_null = is_typed(content) and content == b"null"
        return None if is_null and type(None) in get_args(hint) else content
    found = converted(hint, decoded_of(name, content) if is_typed(content) else text_of(name, content))
    if found is NONE:
        raise wrong_type(name, hint)
    return found


def is_typed(content: bytes) -> bool:
    """Whether the file says that a secret is not a text."""
    return type(content) is not bytes


def fields_of(
    kind: type, hints: Mapping[str, Any], known: Collection[str], as_bytes: Callable[[str], bytes]
) -> dict[str, Any]:
    """The values of a class's fields that there are secrets for, or data below a name.

    Args:
        hints: the fields, with their types.

    Raises:
        SecretsError: one does not decrypt, or is not of its field's type.
    """
    found = {}
    for field, hint in hints.items():
        # Models of pydantic may have names of their own for what others call by an alias.
        names = [field, *filter(None, aliases_of(kind, field))]
        name = next((one for one in names if one in known or has_below(one, known)), field)
        if name in known:
            content = as_bytes(name)
            found[field] = _for_pydantic(hint, name, content) if is_pydantic(kind) else field_of(field, hint, content)
        elif has_below(name, known):
            data = value_of(name, known, as_bytes)
            found[field] = data if is_pydantic(kind) else _checked(field, hint, data)
    return found


def has_below(name: str, known: Collection[str]) -> bool:
    """Whether there are secrets in the data at a name."""
    return any(one.startswith(f"{name}.") for one in known)


def _checked(name: str, hint: Any, data: Any) -> Any:
    found = converted(hint, data)
    if found is NONE:
        raise wrong_type(name, hint)
    return found


def _for_pydantic(hint: Any, name: str, content: bytes) -> Any:
    """A secret as pydantic takes it, which decides about types itself. A strict field takes its own type alone."""
    value: Any = content
    if is_typed(content):
        value = decoded_of(name, content)
    else:
        with suppress(UnicodeDecodeError):
            value = content.decode("utf-8")
    if is_scalar(hint) and value is not content:
        found = converted(hint, value)
        return value if found is NONE else found
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value) if takes_data(hint) else value
        return value
    # Types that take a text get that of a number.
    return value if value is None or takes_data(hint) or isinstance(value, bool) else text_of(name, content)


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
        return decoded_of(name, as_bytes(name))
    # The name comes first in each path, whatever it is.
    data = nested({f"x{path[len(name) :]}": decoded_of(path, as_bytes(path)) for path in below})
    return data["x"]


def decoded_of(name: str, content: bytes) -> Any:
    """A secret with its type.

    Raises:
        SecretsError: it is neither text nor JSON, as its file says.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded  # noqa: PLC0415

    value: Any = NONE
    # The error that says so would hold the value, also as the context of another.
    with suppress(ValueError):
        value = decoded(content)
    if value is NONE:
        raise SecretsError(f"'{name}' is neither text nor JSON. Use as_bytes('{name}').")
    return value
