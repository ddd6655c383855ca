# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Change leaves of nested data in a loaded file, whatever is beside them. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Mapping, MutableMapping, MutableSequence, Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import is_plain_key
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import (
    arrange,
    has_free_front,
    put,
    remove,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.lines import in_quotes_of, placed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (
    Part,
    joined,
    split,
)

#: What holds leaves.
Container = Union[MutableMapping[Any, Any], MutableSequence[Any]]

# Stands in a list for an element that is gone.
_GONE = object()


def change_leaves(
    content: MutableMapping[Any, Any], values: Mapping[str, Any], removed: Sequence[str], *, at_front: bool
) -> None:
    """Remove leaves, and set others, in place.

    Args:
        at_front: whether a name may come before all others of the file.

    Raises:
        InvalidOption: a list would have a gap, or a leaf is where others should be.
    """
    _check_once(content, set())
    for path in removed:
        _remove(content, split(path), path)
    new: dict[int, tuple[MutableMapping[Any, Any], dict[str, Any]]] = {}
    for path in values:
        *above, last = split(path)
        here: Any = content
        for depth, part in enumerate(above):
            if not _has(here, part, path) or here[part] is _GONE:
                is_list = isinstance([*above, last][depth + 1], int)
                _put(here, part, _empty(like=content, is_list=is_list), path, new)
            here = _inner(here, part, path)
        _put(here, last, values[path], path, new)
    for here, added in new.values():
        names = [name for name in here if name not in added and not (here is content and name == METADATA)]
        is_free = has_free_front(here) if here is not content else at_front and names[:1] == list(here)[:1]
        arrange(here, placed(names, list(added), at_front=is_free))
    _sweep(content, [])


def _inner(here: Any, part: Part, path: str) -> Any:
    """The data that a part leads to."""
    inner = here[part]
    if not isinstance(inner, (MutableMapping, MutableSequence)):
        raise InvalidOption(f"'{path}' cannot be in the file: what is above it is a value. Remove that first.")
    return inner


def _has(here: Container, part: Part, path: str) -> bool:
    if isinstance(here, MutableMapping) is isinstance(part, int):
        raise InvalidOption(f"'{path}' cannot be in the file: a list has numbers, and a mapping has keys.")
    if isinstance(part, int):
        return part < len(here)
    return part in here


def _put(
    here: Container, part: Part, value: Any, path: str, new: dict[int, tuple[MutableMapping[Any, Any], dict[str, Any]]]
) -> None:
    """
    Args:
        new: mappings by their identities, with the names that they get, for which this adds one.
    """
    is_there = _has(here, part, path)
    if isinstance(here, MutableMapping):
        key = _safe_key(here, str(part))
        if is_there:
            put(here, {key: value})
        else:
            new.setdefault(id(here), (here, {}))[1][key] = value
            here[key] = value
    elif not isinstance(part, int) or part > len(here):
        raise InvalidOption(f"'{path}' would leave a gap in its list, which has {len(here)} elements.")
    elif is_there:
        here[part] = in_quotes_of(here[part], value)
    else:
        here.append(value)


def _remove(content: MutableMapping[Any, Any], parts: Sequence[Part], path: str) -> None:
    """Remove a leaf, and what holds nothing without it."""
    places: list[tuple[Container, Part]] = []
    here: Any = content
    for part in parts:
        if not _has(here, part, path):
            return
        places.append((here, part))
        here = here[part]
    for holder, part in reversed(places):
        if isinstance(holder, MutableMapping):
            remove(holder, str(part))
        elif isinstance(part, int):
            holder[part] = _GONE
        if any(inner is not _GONE for inner in holder):
            return


def _sweep(value: Any, above: Sequence[Part]) -> None:
    """Remove what stands for elements that are gone.

    Raises:
        InvalidOption: others are behind one.
    """
    if isinstance(value, MutableSequence):
        while value and value[-1] is _GONE:
            del value[-1]
        if any(inner is _GONE for inner in value):
            raise InvalidOption(
                f"Only the last elements of the list '{joined(above)}' can be removed. The place of an element is the "
                "context of its encryption, so those behind it have to be encrypted again: use 'mlkeys edit'."
            )
    if isinstance(value, (MutableMapping, MutableSequence)):
        for part, inner in value.items() if isinstance(value, MutableMapping) else enumerate(value):
            _sweep(inner, [*above, part])


def _check_once(value: Any, seen: set[int]) -> None:
    """
    Raises:
        InvalidOption: data are in several places at once, each of which has a context of its own.
    """
    if not isinstance(value, (MutableMapping, MutableSequence)):
        return
    if id(value) in seen or getattr(value, "merge", None):
        raise InvalidOption(
            "The file uses an anchor or a merge key for a mapping or a list. Each secret of format 2 is encrypted for "
            "its place: write them out."
        )
    seen.add(id(value))
    for inner in value.values() if isinstance(value, MutableMapping) else value:
        _check_once(inner, seen)


def _empty(like: Any, *, is_list: bool) -> Any:
    """An empty mapping or list of the library that loaded the file."""
    if not type(like).__module__.startswith("ruamel"):
        return [] if is_list else {}
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    return CommentedSeq() if is_list else CommentedMap()


def _safe_key(mapping: Any, key: str) -> str:
    """A key, in quotes where a reader of the file could understand something else."""
    return key if key in mapping else safe_text(mapping, key)


def safe_text(document: Any, text: str) -> str:
    """A text, in quotes where a reader of the document could understand something else."""
    if not type(document).__module__.startswith("ruamel") or is_plain_key(text):
        return text
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    quoted: str = DoubleQuotedScalarString(text)
    return quoted
