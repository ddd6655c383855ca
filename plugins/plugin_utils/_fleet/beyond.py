# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ciphertexts elsewhere in a repository or a folder, which no run rewraps. Pure. **Private** to the collection."""

from __future__ import annotations

import os
from typing import Any, Callable, Container, Iterable, Mapping

#: The kind of files with ciphertexts of the key that nothing declares, so that nothing rewraps them.
ELSEWHERE = "undeclared"
#: The kind of compressed files there.
PACKED = "packed"

_OURS = "of the key"
_UNKNOWN = "that no key could be found for"
_WAYS = "name its inventory or program with --also, add its folder to vault_transit_sources, or accept it"


#: Why an encrypted vars file keeps the floor.
NOT_DECLARED = f"it is not declared, and its ciphertexts are of the key: {_WAYS}"


def sorted_out(
    found: Mapping[str, Any], read: Iterable[str], *, everything: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The files that hold ciphertexts of the key, as places that nothing rewraps, and the rest of a search's result.

    Args:
        read: files and folders that other runs read.
        everything: whether all ciphertexts make such places.
    """
    known = frozenset(read)
    lines: dict[tuple[str, str], list[int]] = {}
    rest = []
    for row in found.get("ciphertexts", ()):
        ours = row["secret"] or row["state"] in ("current", "behind")
        if ours or everything:
            lines.setdefault((str(row["path"]), _OURS if ours else _UNKNOWN), []).append(int(row["line"]))
        elif not _is_within(str(row["path"]), known):
            rest.append(row)
    places = [
        {"path": path, "line": numbers[0], "reason": _reason(len(numbers), whose), "kind": ELSEWHERE}
        for (path, whose), numbers in lines.items()
    ]
    counts = [one for one in found.get("counts", ()) if one["state"] not in ("current", "behind")]
    return places, {**found, "ciphertexts": rest, "counts": counts, "unnamed": {}}


def _reason(number: int, whose: str) -> str:
    what = "a ciphertext" if number == 1 else f"{number} ciphertexts"
    return f"it is not declared, and holds {what} {whose}: {_WAYS}"


def left_over(
    places: Iterable[Mapping[str, Any]],
    declared: Iterable[str],
    earlier: Iterable[Mapping[str, Any]],
    read: Iterable[str],
) -> list[dict[str, Any]]:
    """What neither this run nor another one reads.

    Args:
        declared: the files and folders that this run reads since variables declare them.
        earlier: such places of earlier runs over other projects.
        read: the files and folders that those read.
    """
    there, here = frozenset(read), frozenset(declared)
    found = [dict(one) for one in places if not _is_within(str(one["path"]), there)]
    known = here | {str(one["path"]) for one in found}
    return found + [dict(one) for one in earlier if not _is_within(str(one["path"]), known)]


def files_by_key(
    found: Iterable[Mapping[str, Any]], keys: Iterable[str], owner: Callable[[Mapping[str, Any]], str]
) -> dict[str, list[dict[str, Any]]]:
    """The files with ciphertexts, by the path of their key; empty for those that no key could be found for.

    Those of other keys are left out.

    Args:
        found: encrypted vars files, and ciphertexts in other files, each with its host.
        keys: the paths of the keys.
        owner: the path of one's key, empty if it is not known.
    """
    places: dict[str, dict[tuple[str, str], dict[str, Any]]] = {path: {} for path in ("", *keys)}
    for row in found:
        path = owner(row)
        if row.get("state") == "foreign" or (row.get("kind") == ELSEWHERE and not path):
            continue
        reason = f"not declared, and holds ciphertexts {f'of {path}' if path else _UNKNOWN}"
        place = {"host": row["host"], "path": row["path"], "kind": ELSEWHERE, "reason": reason}
        places[path].setdefault((str(row["host"]), str(row["path"])), place)
    return {path: list(rows.values()) for path, rows in places.items()}


def _is_within(path: str, places: Container[str]) -> bool:
    while path not in places:
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return True
