# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values of annotated fields. Pure. No message repeats a value."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mlkeys.runtime._errors import SecretsError

#: What `converted` returns for a value that is none of the type.
NONE = object()

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SEVERAL = (list, tuple, set, frozenset)


def converted(hint: Any, value: Any) -> Any:
    """A text, bytes, or data as a value of a type, `NONE` if it is none."""
    hint = getattr(hint, "__supertype__", hint)
    if hint is Any or hint is object:
        return value
    origin = get_origin(hint)
    if origin is Literal:
        return value if any(type(value) is type(one) and value == one for one in get_args(hint)) else NONE
    if is_union(hint):
        return _of_union(get_args(hint), value)
    if value is None or hint is type(None):
        return None if value is None and hint is type(None) else NONE
    if (origin or hint) in (*_SEVERAL, dict) or is_model(hint):
        return _of_data(origin or hint, get_args(hint), value)
    return _of_simple(hint, value)


def is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def is_model(hint: Any) -> bool:
    """Whether a field of this type holds data with fields of their own."""
    return isinstance(hint, type) and (is_dataclass(hint) or is_pydantic(hint))


def is_pydantic(kind: type) -> bool:
    """Whether a class is a model of pydantic, which need not be installed."""
    return hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


def takes_data(hint: Any) -> bool:
    """Whether the text of a field of this type is JSON."""
    if is_union(hint):
        return any(takes_data(kind) for kind in get_args(hint))
    return (get_origin(hint) or hint) in (*_SEVERAL, dict) or is_model(hint)


def _of_union(kinds: Collection[Any], value: Any) -> Any:
    if any(kind is type(value) for kind in kinds):
        return value
    for kind in kinds:
        found = converted(kind, value)
        if found is not NONE:
            return found
    return NONE


def _of_data(kind: Any, inner: tuple[Any, ...], value: Any) -> Any:
    if isinstance(value, str):
        # The error would hold the value.
        with suppress(ValueError):
            value = json.loads(value)
    if is_model(kind):
        return _made(kind, value) if isinstance(value, dict) else NONE
    if kind is dict:
        if not isinstance(value, dict):
            return NONE
        hints = inner or (Any, Any)
        return _all({converted(hints[0], name): converted(hints[1], one) for name, one in value.items()}, dict)
    if not isinstance(value, list):
        return NONE
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(inner) != len(value):
            return NONE
        return _all([converted(hint, one) for hint, one in zip(inner, value, strict=True)], tuple)
    return _all([converted(inner[0] if inner else Any, one) for one in value], kind)


def _all(found: Any, kind: Any) -> Any:
    """The elements as this kind, `NONE` if one is not a value of its type."""
    parts = [*found, *found.values()] if isinstance(found, dict) else found
    return NONE if any(part is NONE for part in parts) else kind(found)


def _of_simple(kind: Any, value: Any) -> Any:
    if not isinstance(kind, type):
        return NONE
    if type(value) is kind:
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    if kind is bytes:
        return text.encode("utf-8")
    if kind is bool:
        return _FLAGS.get(text.strip().lower(), NONE)
    # The error of the type may hold the value, also as the context of another.
    with suppress(Exception):
        return kind(text)
    return NONE


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """An object of a class for data with these fields."""
    if is_pydantic(kind):
        return object_of(kind, values)
    hints = get_type_hints(kind)
    given = {}
    for name, value in values.items():
        if name in hints:
            given[name] = converted(hints[name], value)
            if given[name] is NONE:
                raise wrong_type(name, hints[name])
    return object_of(kind, given)


def wrong_type(name: str, hint: Any) -> SecretsError:
    """The error about a value of another type."""
    kind = hint.__name__ if isinstance(hint, type) and not get_origin(hint) else str(hint).replace("typing.", "")
    return SecretsError(f"'{name}' is not a value of the type {kind}, which the field of this name has.")


def object_of(kind: type, given: Mapping[str, Any]) -> Any:
    """An object of a class from the values of its fields.

    Raises:
        SecretsError: the class does not take the values. Its own error may repeat one, also in its frames.
    """
    if is_pydantic(kind):
        given = {_name_for_pydantic(kind, name): value for name, value in given.items()}
    try:
        return kind(**given)
    except SecretsError:
        raise
    except Exception as error:  # noqa: BLE001  a class may raise any
        reasons = _reasons(error)
    missing = _missing(kind, given)
    if missing:
        raise SecretsError(f"No secret for {', '.join(missing)} of {kind.__name__}.")
    raise SecretsError(f"The secrets do not fit {kind.__name__}: {reasons}.")


def _name_for_pydantic(kind: Any, name: str) -> str:
    alias = getattr(kind.model_fields.get(name), "validation_alias", None)
    return alias if isinstance(alias, str) else name


def _missing(kind: type, given: Collection[str]) -> list[str]:
    with suppress(TypeError, ValueError):
        return [
            name
            for name, one in inspect.signature(kind).parameters.items()
            if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
            if name not in given
        ]
    return []


def _reasons(error: Exception) -> str:
    """What an error says without a value: pydantic's own messages, of other errors the type alone."""
    each = getattr(error, "errors", None)
    if not callable(each):
        return f"{type(error).__name__}, whose message may repeat one"
    with suppress(Exception):
        found = each(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {_said(one)}" for one in found)
    return type(error).__name__


def _said(problem: Mapping[str, Any]) -> str:
    """What pydantic says about a field. Messages of validators may repeat a value."""
    kind = str(problem["type"])
    is_plain = kind in ("missing", "literal_error", "enum", "extra_forbidden") or kind.endswith(("_type", "_parsing"))
    return str(problem["msg"]) if is_plain else kind
