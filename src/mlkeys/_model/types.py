# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Types of what a program gives. Python does not look at them, and a wrong one would show far from its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, NamedTuple, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._model.location import call_site
from mlkeys._model.marks import readable, resolved
from mlkeys._model.not_text import NotText, instead
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import kind_of, shown

T = TypeVar("T")


class Kind(NamedTuple, Generic[T]):
    """What a keyword takes.

    Attributes:
        words: its name in messages.
        fits: whether a value is one.
        instead: stands in for a wrong value, so that all other problems are found as well.
        wanted: what of an object fits, as in `NotText.OFFERS`.
    """

    words: str
    fits: Callable[[object], bool]
    instead: T
    wanted: str = ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, (Sequence, AbstractSet)):
        return False
    return all(isinstance(one, str) for one in value)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


TEXT: Kind[str] = Kind("a string", _is_text, "")
TEXTS: Kind[tuple[str, ...]] = Kind("a list of strings", _is_texts, ())
MAPPING: Kind[Mapping[str, Any]] = Kind("a dictionary with strings as names", _is_mapping, {})


NAME: Kind[str] = TEXT._replace(wanted="name")
#: The names of secrets. A context is one as well.
SECRET: Kind[str] = TEXT._replace(wanted="secret")
SECRETS: Kind[tuple[str, ...]] = TEXTS._replace(wanted="secret")
#: A text that may be known after deployment only.
DATA: Kind[str] = TEXT._replace(wanted="data")


def instance(kind: type | tuple[type, ...], words: str, instead: T, wanted: str = "") -> Kind[T]:
    """Return what is an instance of a class."""
    return Kind(words, lambda value: isinstance(value, kind), instead, wanted)


def taken(construct: Construct, name: str, value: Any, kind: Kind[T]) -> Any:
    """Return the value of a keyword. A wrong one is reported, and another is returned."""
    if kind.fits(value):
        # A set has another order in each run.
        return sorted(value) if isinstance(value, AbstractSet) else value
    construct.node.add_problem(wrong(name, kind, value), call_site())
    return kind.instead


def optional(construct: Construct, name: str, value: Any, kind: Kind[T]) -> Any:
    """Return the value of a keyword that may be None."""
    return None if value is None else taken(construct, name, value, kind)


def now(construct: Construct, name: str, text: str) -> str:
    """Return a text with the values of its references, which must be known when the program runs."""
    try:
        return resolved(construct, text)
    except MlkeysError as problem:
        construct.node.add_problem(f"{name}: {problem}", call_site())
        return readable(construct, text)


def all_now(construct: Construct, name: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts with the values of their references, which must be known when the program runs."""
    return tuple(now(construct, name, text) for text in texts)


def named_now(construct: Construct, name: str, data: Any) -> Any:
    """Return nested data whose names have the values of their references; its other texts are left as they are."""
    if isinstance(data, Mapping):
        return {
            now(construct, f"a name in {name}", one) if isinstance(one, str) else one: named_now(construct, name, inner)
            for one, inner in data.items()
        }
    return [named_now(construct, name, one) for one in data] if isinstance(data, (list, tuple)) else data


def wrong(name: str, kind: Kind[Any], value: object) -> str:
    """Return the message about a value of a wrong type."""
    end = instead(value, kind.wanted)
    if isinstance(value, str) and (construct := getattr(value, "construct", None)) and kind.fits(construct):
        end = ": give the construct itself"
    return f"{name} must be {kind.words}, not {shown(value)}{end}"


def foreign_to(data: object, *also: type) -> object | None:
    """Return the first part of nested data that no file can hold, None when there is none.

    Args:
        also: further types that are allowed as values.
    """
    if data is None or isinstance(data, (str, int, float, *also)):
        return None
    if isinstance(data, Mapping):
        found = (foreign_to(name) or foreign_to(part, *also) for name, part in data.items())
    elif isinstance(data, (list, tuple)):
        found = (foreign_to(part, *also) for part in data)
    else:
        return data
    return next((one for one in found if one is not None), None)


def report_foreign(construct: Construct, name: str, data: object, *also: type, wanted: str = "data") -> None:
    """Report a part of nested data that no file can hold.

    Args:
        also: further types that are allowed as values.
        wanted: what of an object fits, as in `NotText.OFFERS`.
    """
    found = foreign_to(data, *also)
    if isinstance(found, NotText):
        what = f"{shown(found)}{instead(found, wanted) or ', which is not plain data'}"
        construct.node.add_problem(f"{name} holds {what}", call_site())
    elif found is not None:
        construct.node.add_problem(f"{name} holds {kind_of(found)}, which is not plain data", call_site())
