# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules on hosts report, checked. Pure. **Private** to the collection.

Anyone who is root on a host decides what the controller gets to read from there.
"""

from __future__ import annotations

import json
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

_PLACE = (("path", str), ("reason", str), ("kind", str))


class UnexpectedReport(TransitError):
    """A module on a host reports something else than it does."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(f"{module} on this host returned unexpected data in '{name}'. Find out who changed the host.")


def found_in(module: str, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ciphertexts of a search.

    Raises:
        UnexpectedReport: it has something else.
    """
    files: list[Any] = _loaded(module, result, "ciphertexts", list)
    try:
        return [row for path, rows in files for row in _found_at(path, rows)]
    except (TypeError, ValueError):
        raise UnexpectedReport(module, "ciphertexts") from None


def _found_at(path: Any, rows: Any) -> Iterator[dict[str, Any]]:
    """
    Raises:
        TypeError, ValueError: a row has something else.
    """
    for text, line, name, form, problem, offset in rows:
        # There may be a million of them: a loop over names would take longer than their search.
        if not (
            isinstance(path, str)
            and isinstance(text, str)
            and isinstance(line, int)
            and isinstance(name, str)
            and isinstance(form, str)
            and isinstance(problem, str)
            and isinstance(offset, int)
        ):
            raise TypeError(path)
        row = {"path": path, "text": text, "line": line, "name": name, "form": form}
        if problem:
            row["problem"] = problem
        if offset >= 0:
            row["offset"] = offset
        yield row


def after_in(module: str, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where a search goes on, ``None`` at its end.

    Raises:
        UnexpectedReport: it is something else.
    """
    if "after" not in result:
        return None
    after: dict[str, Any] = _loaded(module, result, "after", dict)
    if not isinstance(after.get("path"), str) or not _is_bookmark(after.get("bookmark")):
        raise UnexpectedReport(module, "after")
    return after


def moved_in(module: str, result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Where searches of files end after they were rewritten, by path.

    Raises:
        UnexpectedReport: it is something else.
    """
    moved: dict[str, Any] = _loaded(module, result, "moved", dict)
    for path, after in moved.items():
        if not isinstance(after, dict) or after.get("path") != path or not _is_bookmark(after.get("bookmark")):
            raise UnexpectedReport(module, "moved")
    return moved


def places_in(module: str, result: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """Files that were not searched, with the reasons.

    Raises:
        UnexpectedReport: it is something else.
    """
    places: list[dict[str, str]] = _field(module, result, name, list)
    if not all(_has(one, _PLACE) for one in places):
        raise UnexpectedReport(module, name)
    return places


def digests_in(module: str, result: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the files that a search has read to their ends, by path.

    Raises:
        UnexpectedReport: it is something else.
    """
    digests: dict[str, str] = _loaded(module, result, "digests", dict)
    if not all(isinstance(digest, str) for digest in digests.values()):
        raise UnexpectedReport(module, "digests")
    return digests


def counts_in(module: str, result: Mapping[str, Any], name: str) -> dict[str, int]:
    """Numbers by name.

    Raises:
        UnexpectedReport: it is something else.
    """
    return _values(module, result, name, int)


def texts_in(module: str, result: Mapping[str, Any], name: str) -> dict[str, str]:
    """Texts by name.

    Raises:
        UnexpectedReport: it is something else.
    """
    return _values(module, result, name, str)


def number_in(module: str, result: Mapping[str, Any], name: str) -> int:
    """A number.

    Raises:
        UnexpectedReport: it is something else.
    """
    number: int = _field(module, result, name, int)
    return number


def _values(module: str, result: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    values: dict[str, Any] = _field(module, result, name, dict)
    if not all(isinstance(value, kind) for value in values.values()):
        raise UnexpectedReport(module, name)
    return values


def _field(module: str, result: Mapping[str, Any], name: str, kind: type) -> Any:
    value = result.get(name)
    if not isinstance(value, kind):
        raise UnexpectedReport(module, name)
    return value


def _loaded(module: str, result: Mapping[str, Any], name: str, kind: type) -> Any:
    try:
        value = json.loads(_field(module, result, name, str))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise UnexpectedReport(module, name)
    return value


def _has(value: Any, fields: Sequence[tuple[str, type]]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in fields)


def _is_bookmark(value: Any) -> bool:
    return value is None or isinstance(value, dict)
