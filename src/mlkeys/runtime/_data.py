# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of nested data, with their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, get_args, get_type_hints

from mlkeys.runtime._errors import SecretsError
from mlkeys.runtime._fields import NONE, converted, is_pydantic, is_union, takes_data, wrong_type


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
    if hint is bytes or (is_union(hint) and bytes in get_args(hint)):
        is_null = is_typed(content) and content == b"null"
        return None if is_null and type(None) in get_args(hint) else content
    found = converted(hint, decoded_of(name, content) if is_typed(content) else text_of(name, content))
    if found is NONE:
        raise wrong_type(name, hint)
    return found


def is_typed(content: bytes) -> bool:
    """Whether the file says that a secret is not a text."""
    return type(content) is not bytes


def fields_of(kind: type, known: Collection[str], as_bytes: Callable[[str], bytes]) -> dict[str, Any]:
    """The values of a class's fields that there are secrets for, or data below a name.

    Raises:
        SecretsError: one does not decrypt, or is none of its field's type.
    """
    found = {}
    for name, hint in get_type_hints(kind).items():
        if name not in known:
            data = value_of(name, known, as_bytes) if has_below(name, known) else NONE
            if data is not NONE:
                found[name] = data if is_pydantic(kind) else _checked(name, hint, data)
        elif is_pydantic(kind):
            found[name] = _for_pydantic(name, hint, as_bytes(name))
        else:
            found[name] = field_of(name, hint, as_bytes(name))
    return found


def has_below(name: str, known: Collection[str]) -> bool:
    """Whether there are secrets in the data at a name."""
    return any(one.startswith(f"{name}.") for one in known)


def _checked(name: str, hint: Any, data: Any) -> Any:
    found = converted(hint, data)
    if found is NONE:
        raise wrong_type(name, hint)
    return found


def _for_pydantic(name: str, hint: Any, content: bytes) -> Any:
    """A secret as pydantic takes it, which decides about types itself."""
    if not is_typed(content):
        with suppress(UnicodeDecodeError):
            text = content.decode("utf-8")
            with suppress(ValueError):
                return json.loads(text) if takes_data(hint) else text
            return text
        return content
    value = decoded_of(name, content)
    # A field for text gets that of a number.
    return value if value is None or takes_data(hint) or isinstance(value, bool) else content.decode("ascii")


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
