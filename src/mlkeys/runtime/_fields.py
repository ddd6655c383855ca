# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values of annotated fields. Pure. No message repeats a value."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date, time
from enum import Enum, Flag
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from mlkeys.runtime._errors import SecretsError
from mlkeys.runtime._types import (
    collection_of,
    fields_in,
    is_model,
    is_pydantic,
    is_union,
    key_of,
    type_name,
    unwrapped,
)

#: What `converted` returns for a value that is not of the type.
NONE = object()

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def converted(hint: Any, value: Any) -> Any:
    """A text, bytes, or data as a value of a type, `NONE` if it is not of that type."""
    hint = unwrapped(hint)
    if hint is Any or hint is object:
        return value
    if get_origin(hint) is Literal:
        return next((one for one in get_args(hint) if _is(value, one)), NONE)
    if is_union(hint):
        return _of_union(get_args(hint), value)
    if value is None or hint in (None, NoneType):
        return None if value is None and hint in (None, NoneType) else NONE
    if collection_of(hint) or is_model(hint):
        return _of_data(hint, value)
    return _of_simple(hint, value)


def _is(value: Any, one: Any) -> bool:
    """Whether a value is that of a literal: a number is not the text that looks like it."""
    plain = one.value if isinstance(one, Enum) else one
    return type(value) is type(plain) and bool(value == plain)


def _of_union(kinds: Collection[Any], value: Any) -> Any:
    if any(unwrapped(kind) is type(value) for kind in kinds):
        return value
    for kind in kinds:
        # A class of which a field is missing is not the one.
        with suppress(SecretsError):
            found = converted(kind, value)
            if found is not NONE:
                return found
    return NONE


def _of_data(hint: Any, value: Any) -> Any:
    if isinstance(value, str):
        # The error would hold the value.
        with suppress(ValueError):
            value = json.loads(value)
    if is_model(hint):
        return _made(hint, value) if isinstance(value, dict) else NONE
    kind, inner = collection_of(hint) or list, get_args(hint)
    if kind is dict:
        if not isinstance(value, dict):
            return NONE
        of_name, of_value = inner or (Any, Any)
        names = [converted(of_name, name) for name in value]
        values = [converted(of_value, one) for one in value.values()]
        return _all([*names, *values], lambda _parts: dict(zip(names, values, strict=True)))
    if not isinstance(value, list):
        return NONE
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(inner) != len(value):
            return NONE
        return _all([converted(one, part) for one, part in zip(inner, value, strict=True)], tuple)
    return _all([converted(inner[0] if inner else Any, one) for one in value], kind)


def _all(parts: list[Any], kind: Any) -> Any:
    """The elements as this kind, `NONE` if one is not a value of its type."""
    # Lists cannot be in a set.
    with suppress(TypeError):
        return NONE if any(part is NONE for part in parts) else kind(parts)
    return NONE


def _of_simple(kind: Any, value: Any) -> Any:
    if type(value) is kind:
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    if kind in (bytes, bytearray):
        return kind(text.encode("utf-8"))
    if kind is bool:
        return _FLAGS.get(text.strip().lower(), NONE)
    # The error of the type may hold the value, also as the context of another.
    with suppress(Exception):
        if issubclass(kind, Enum):
            return _of_enum(kind, value, text)
        return kind.fromisoformat(text) if issubclass(kind, (date, time)) else kind(text)
    return NONE


def _of_enum(kind: type[Enum], value: Any, text: str) -> Any:
    """The member with this value, or with a number or flag that the text is."""
    for one in kind:
        if _is(value, one):
            return one
    for one in kind:
        if isinstance(one.value, (int, float)) and str(one.value).lower() == text.lower():
            return one
    return kind(int(text) if issubclass(kind, Flag) else text)


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """An object of a class for data with these fields."""
    if is_pydantic(kind):
        return object_of(kind, values)
    given = {}
    for name, hint in fields_in(kind).items():
        if name in values:
            given[name] = converted(hint, values[name])
            if given[name] is NONE:
                raise wrong_type(name, hint)
    return object_of(kind, given)


def wrong_type(name: str, hint: Any) -> SecretsError:
    """The error about a value of another type."""
    return SecretsError(f"'{name}' is not a value of the type {type_name(hint)}, which the field of this name has.")


def object_of(kind: Any, given: Mapping[str, Any]) -> Any:
    """An object of a class from the values of its fields.

    Raises:
        SecretsError: the class does not take the values. Its own error may repeat one, also in its frames.
    """
    missing = _missing(kind, given)
    if missing:
        raise SecretsError(f"No secret for {', '.join(missing)} of {kind.__name__}.")
    try:
        return kind(**{key_of(kind, name): value for name, value in given.items()})
    except SecretsError:
        raise
    except Exception as error:  # noqa: BLE001  a class may raise any
        reasons = _reasons(error)
    raise SecretsError(f"The secrets do not fit {kind.__name__}: {reasons}.")


def _missing(kind: Any, given: Collection[str]) -> list[str]:
    if is_pydantic(kind):
        return [name for name, field in kind.model_fields.items() if field.is_required() and name not in given]
    required = getattr(kind, "__required_keys__", None)
    if required is not None:
        return sorted(set(required) - set(given))
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
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {said(one)}" for one in found)
    return type(error).__name__


# Pydantic's own messages that name what a field takes, and nothing of what it got.
_PLAIN = """
missing extra_forbidden literal_error enum finite_number multiple_of greater_than greater_than_equal less_than
less_than_equal string_too_short string_too_long string_pattern_mismatch
"""


def said(problem: Mapping[str, Any]) -> str:
    """What pydantic says about a field. Messages of validators may repeat a value, and that of a UUID a character."""
    kind = str(problem["type"])
    is_plain = kind in _PLAIN.split() or (kind.endswith(("_type", "_parsing")) and kind != "uuid_parsing")
    return str(problem["msg"]) if is_plain else kind
