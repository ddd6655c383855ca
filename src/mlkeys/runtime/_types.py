# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which types a field may have. Pure, and decided before there are values."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections import abc, deque
from datetime import date, time, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, NotRequired, Required, Union, get_args, get_origin

from mlkeys.runtime._errors import WrongUse

SUPPORTED = (
    "Use str, bytes, int, float, bool, a Literal, an Enum, a class that takes a text, a list, tuple, set, deque or "
    "dictionary of these, or a class with such fields"
)

# What a field with one of these types gets.
_COLLECTIONS: dict[Any, type] = {
    **{kind: kind for kind in (list, tuple, set, frozenset, deque, dict)},
    **dict.fromkeys((abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    abc.Set: frozenset,
    abc.MutableSet: set,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
}
_QUALIFIERS = (Annotated, Final, Required, NotRequired, getattr(typing, "ReadOnly", Required))
_OF_LITERALS = (str, int, NoneType, Enum)


def unwrapped(hint: Any) -> Any:
    """The type behind qualifiers, metadata and other names of it."""
    while True:
        if get_origin(hint) in _QUALIFIERS:
            hint = get_args(hint)[0]
        elif isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return Any if hint is Final else hint


def is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def collection_of(hint: Any) -> type | None:
    """The type of a list or dictionary that a field of this type gets."""
    return _COLLECTIONS.get(get_origin(hint) or hint)


def is_model(hint: Any) -> bool:
    """Whether a field of this type holds data with fields of their own."""
    if not isinstance(hint, type) or get_origin(hint):
        return False
    is_named_tuple = issubclass(hint, tuple) and hasattr(hint, "_fields")
    return dataclasses.is_dataclass(hint) or is_pydantic(hint) or is_named_tuple or typing.is_typeddict(hint)


def is_pydantic(kind: type) -> bool:
    """Whether a class is a model of pydantic, which need not be installed."""
    return hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


def takes_data(hint: Any) -> bool:
    """Whether the text of a field of this type is JSON."""
    hint = unwrapped(hint)
    if is_union(hint):
        return any(takes_data(kind) for kind in get_args(hint))
    return collection_of(hint) is not None or is_model(hint)


def is_scalar(hint: Any) -> bool:
    """Whether a field of this type holds a text, number or flag alone."""
    hint = unwrapped(hint)
    if is_union(hint):
        return all(is_scalar(kind) for kind in get_args(hint))
    return get_origin(hint) is Literal or hint in (str, bytes, int, float, bool, NoneType)


def fields_in(kind: Any) -> dict[str, Any]:
    """The fields of a class that it takes when it is created, with their types.

    Raises:
        WrongUse: they are not known.
    """
    if not isinstance(kind, type) or get_origin(kind):
        # Its representation may show a value.
        raise WrongUse(f"A class with annotated fields is needed, and not a value of the type {type(kind).__name__}.")
    if is_pydantic(kind):
        members: abc.Mapping[str, Any] = getattr(kind, "model_fields", {})
        found = {name: member.annotation for name, member in members.items()}
    else:
        found = _annotated(kind)
    if not found:
        raise WrongUse(f"{kind.__name__} has no annotated fields.")
    return found


def _annotated(kind: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception as error:  # noqa: BLE001  annotations may be any code
        problem = str(error) or type(error).__name__
        raise WrongUse(f"The annotations of {kind.__name__} cannot be read: {problem}.") from None
    made = (
        {field.name for field in dataclasses.fields(kind) if not field.init} if dataclasses.is_dataclass(kind) else ()
    )
    return {
        name: hint
        for name, hint in hints.items()
        if name not in made and hint not in (ClassVar, dataclasses.KW_ONLY) and get_origin(hint) is not ClassVar
    }


def key_of(kind: Any, name: str) -> str:
    """The name under which a class takes the value of a field. That of pydantic may be an alias.

    Raises:
        WrongUse: it has none but a path into data.
    """
    aliases = aliases_of(kind, name)
    if None in aliases and not any(aliases):
        raise WrongUse(f"The field '{name}' of {kind.__name__} has no alias but a path. Give it one that is a name.")
    return next(filter(None, aliases), name)


def aliases_of(kind: Any, name: str) -> list[str | None]:
    """The aliases of a field of pydantic, ``None`` for one that is a path."""
    if not is_pydantic(kind) or name not in kind.model_fields:
        return []
    alias = kind.model_fields[name].validation_alias
    choices: abc.Iterable[Any] = [] if alias is None else getattr(alias, "choices", [alias])
    return [one if isinstance(one, str) else None for one in choices]


def checked_fields(kind: type, seen: frozenset[type] = frozenset()) -> dict[str, Any]:
    """The fields of a class, each with a type that a secret can become.

    Raises:
        WrongUse: one has another type, or no name to create it by.
    """
    found = fields_in(kind)
    for name, hint in found.items():
        key_of(kind, name)
        # Pydantic decides about types itself.
        problem = "" if is_pydantic(kind) else _unsupported(hint, seen | {kind})
        if problem:
            raise WrongUse(f"The field '{name}' of {kind.__name__} cannot be filled: its type {problem}. {SUPPORTED}.")
    return found


def _unsupported(hint: Any, seen: frozenset[type]) -> str:
    """What is wrong with a type, empty if a secret can become it."""
    hint = unwrapped(hint)
    if hint in (Any, object, None, NoneType, Ellipsis):
        return ""
    if get_origin(hint) is Literal:
        known = all(isinstance(one, _OF_LITERALS) for one in get_args(hint))
        return "" if known else f"{type_name(hint)} has a value that is neither a text nor a number"
    if is_union(hint) or collection_of(hint):
        return next((problem for inner in get_args(hint) if (problem := _unsupported(inner, seen))), "")
    if is_model(hint):
        if hint not in seen:
            checked_fields(hint, seen)
        return ""
    return "" if isinstance(hint, type) and takes_text(hint) else f"{type_name(hint)} takes no text"


def takes_text(kind: type) -> bool:
    """Whether a value of a type can be made of a text, as far as is known without trying."""
    if get_origin(kind) or issubclass(kind, (type, timedelta)) or inspect.isabstract(kind):
        return False
    if issubclass(kind, (str, bytes, bytearray, int, float, Enum, date, time)):
        return True
    if kind.__init__ is object.__init__ and kind.__new__ is object.__new__:
        return False
    try:
        inspect.signature(kind).bind("")
    except TypeError:
        return False
    except ValueError:
        # Some types of C do not say what they take.
        pass
    return True


def type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_origin(hint) else str(hint).replace("typing.", "")
