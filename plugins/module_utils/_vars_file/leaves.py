# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Change leaves of nested data in a loaded file, whatever is beside them. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Mapping, MutableMapping, MutableSequence, Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import (
    empty,
    put,
    remove,
    safe_key,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (
    Part,
    joined,
    split,
)

#: What holds leaves.
Container = Union[MutableMapping[Any, Any], MutableSequence[Any]]


# Stands in a list for an element that is gone.
_GONE = object()


def change_leaves(content: MutableMapping[Any, Any], values: Mapping[str, str], removed: Sequence[str]) -> None:
    """Remove leaves, and set others, in place.

    Raises:
        InvalidOption: a list would have a gap, or a leaf is where others should be.
    """
    _check_once(content, set())
    for path in removed:
        _remove(content, split(path), path)
    for path in values:
        *above, last = split(path)
        here: Any = content
        for depth, part in enumerate(above):
            if not _has(here, part, path) or here[part] is _GONE:
                is_list = isinstance([*above, last][depth + 1], int)
                _put(here, part, empty(like=content, is_list=is_list), path, is_root=here is content)
            here = _inner(here, part, path)
        _put(here, last, values[path], path, is_root=here is content)
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


def _put(here: Container, part: Part, value: Any, path: str, *, is_root: bool) -> None:
    is_there = _has(here, part, path)
    if isinstance(here, MutableMapping):
        # The metadata stay behind the variables.
        names = [name for name in here if not (is_root and name == METADATA)]
        put(here, {safe_key(here, str(part)): value}, after=names[-1] if names else None)
    elif not isinstance(part, int) or part > len(here):
        raise InvalidOption(f"'{path}' would leave a gap in its list, which has {len(here)} elements.")
    elif is_there:
        old = here[part]
        quoted = type(old).__name__ in ("DoubleQuotedScalarString", "SingleQuotedScalarString")
        here[part] = type(old)(value) if quoted else value
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
                "context of its encryption, so those behind it have to be encrypted anew: use 'mlkeys edit'."
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
