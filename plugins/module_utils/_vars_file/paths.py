# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Paths: the names of leaves in nested data. Pure. **Private** to the collection.

``providers.openai.api_key`` is the leaf below three keys, ``models.0`` the first element of a list. In a key,
everything but letters, digits, ``_`` and ``-`` is written as in a URL: ``open%2Eai`` for ``open.ai``. A key of digits
begins so, too (``%3080`` for ``080``), so a part of digits is always an index. ``%`` alone is the empty key. So a
path says what the data around its leaf are, and each leaf has one path.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping, Sequence, Union
from urllib.parse import quote, unquote_to_bytes

from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import is_reserved
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import LONGEST_VARIABLE, VARIABLE_NAME
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA

# The name of a variable leads.
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")

#: A key of a mapping, or an index of a list.
Part = Union[str, int]


class KeyNotText(ValueError):
    """A key of a mapping is a number, a flag or a date.

    Attributes:
        above: the path of the mapping, empty for the outermost.
    """

    def __init__(self, above: str) -> None:
        super().__init__(above)
        self.above = above


def joined(parts: Iterable[Part]) -> str:
    return ".".join(_written(part) for part in parts)


def _written(part: Part) -> str:
    if isinstance(part, int):
        return str(part)
    if not part:
        return "%"
    written = quote(part, safe="", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E")
    return f"%{ord(part[0]):02X}{part[1:]}" if written.isdigit() else written


def split(path: str) -> list[Part]:
    """The keys and indexes of a path. What is not a path is split somehow."""
    return [_read(part) for part in path.split(".")]


def _read(part: str) -> Part:
    if _INDEX.fullmatch(part):
        return int(part)
    return "" if part == "%" else unquote_to_bytes(part).decode("utf-8", "surrogatepass")


def is_path(path: Any) -> bool:
    return isinstance(path, str) and not leaf_problem(path)


def leaf_problem(path: str) -> str:
    """Why a text is not the path of a leaf, empty if it is one."""
    first = path.partition(".")[0]
    if not VARIABLE_NAME.fullmatch(first):
        return "begin with the name of a variable: letters, digits and '_', and no digit first"
    if len(path) > LONGEST_VARIABLE:
        return f"its path has more than {LONGEST_VARIABLE} characters"
    try:
        canonical = joined(split(path))
    except UnicodeError:
        return "in a key, write all but letters and digits as in a URL, in UTF-8"
    return "" if canonical == path else f"write '{canonical}': in a key, all but letters and digits are as in a URL"


def leaf_problems(paths: Sequence[str]) -> list[str]:
    """The problems of names for leaves of nested data."""
    problems = [f"'{path}' is not a path: {problem}" for path in paths if (problem := leaf_problem(path))]
    return problems or name_problems(list(dict.fromkeys(path.partition(".")[0] for path in paths)))


def name_problems(names: Sequence[str]) -> list[str]:
    """The problems of names for variables."""
    return [f"'{name[:LONGEST_VARIABLE]}' {problem}" for name in names if (problem := _name_problem(name))]


def _name_problem(name: str) -> str:
    if not VARIABLE_NAME.fullmatch(name):
        return "is not a valid variable name: use letters, digits and '_', and do not begin with a digit"
    if len(name) > LONGEST_VARIABLE:
        return f"is the beginning of a name with {len(name)} characters, and a name can have {LONGEST_VARIABLE}"
    if name == METADATA or is_reserved(name):
        return f"is reserved for {'the file' if name == METADATA else 'YAML'} itself"
    return ""


def covers(above: str, path: str) -> bool:
    """Whether a path is the same, or one of a leaf in the data at the other."""
    return path == above or path.startswith(f"{above}.")


def chosen(names: Iterable[str], paths: Iterable[str]) -> dict[str, list[str]]:
    """For each name the paths that it covers."""
    known = list(paths)
    exact = set(known)
    return {name: [name] if name in exact else [path for path in known if covers(name, path)] for name in names}


def flattened(data: Mapping[Any, Any]) -> dict[str, Any]:
    """The leaves of nested data by path: scalars, and mappings and lists that are empty.

    Raises:
        KeyNotText: a key is not text.
    """
    return {joined(parts): value for parts, value in _leaves(data, [])}


def _leaves(data: Any, above: Sequence[Part]) -> Iterator[tuple[list[Part], Any]]:
    if above and not (isinstance(data, (Mapping, list, tuple)) and data):
        yield list(above), data
        return
    inner: Iterable[tuple[Any, Any]] = data.items() if isinstance(data, Mapping) else enumerate(data)
    for part, value in inner:
        if isinstance(data, Mapping) and not isinstance(part, str):
            raise KeyNotText(joined(above))
        yield from _leaves(value, [*above, part])


def lists_in(data: Any, above: Sequence[Part] = ()) -> Iterator[tuple[str, int]]:
    """The lists in nested data, each with its length."""
    if isinstance(data, (list, tuple)):
        yield joined(above), len(data)
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(data, Mapping):
        inner = data.items()
    elif isinstance(data, (list, tuple)):
        inner = enumerate(data)
    for part, value in inner:
        yield from lists_in(value, [*above, part])


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The data with these leaves. Elements of a list that have no leaf are left out."""
    root: dict[Part, Any] = {}
    for path, value in leaves.items():
        here = root
        *above, last = split(path)
        for part in above:
            here = here.setdefault(part, {})
        here[last] = value
    return {str(name): _with_lists(value, leaves, str(name)) for name, value in root.items()}


def _with_lists(value: Any, leaves: Mapping[str, Any], path: str) -> Any:
    if path in leaves:
        return value
    inner = {part: _with_lists(one, leaves, f"{path}.{_written(part)}") for part, one in value.items()}
    if all(isinstance(part, int) for part in inner):
        return [inner[part] for part in sorted(inner)]
    return {str(part): one for part, one in inner.items()}


def clashes(paths: Iterable[str]) -> list[str]:
    """Paths that cannot be in one document: a leaf with others below, a list with keys or with a gap."""
    known = list(paths)
    leaves = set(known)
    below: dict[str, set[Part]] = {}
    found = []
    for path in known:
        parts = path.split(".")
        for count in range(1, len(parts)):
            above = ".".join(parts[:count])
            below.setdefault(above, set()).add(_read(parts[count]))
            if above in leaves:
                found.append(above)
    for above, inner in below.items():
        numbers = {part for part in inner if isinstance(part, int)}
        if numbers and (len(numbers) < len(inner) or max(numbers) >= len(numbers)):
            found.append(above)
    return list(dict.fromkeys(found))
