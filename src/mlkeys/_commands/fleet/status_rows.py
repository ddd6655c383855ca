# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ciphertexts of many hosts as a few rows for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkeys._commands.fleet.status_text import folder_of, place, short_hosts, shortened, weight


@dataclass(frozen=True, slots=True)
class StatusRow:
    """Ciphertexts of one key, version and state, in one folder of the same hosts.

    Attributes:
        hosts: their names, in words, without the domain that all have.
        place: the file, or the folder and the number of its files.
        secrets: their names, in words.
    """

    hosts: str
    place: str
    secrets: str
    key: str
    version: int
    state: str
    ciphertexts: int


def folded(rows: Sequence[Mapping[str, Any]]) -> list[StatusRow]:
    """The ciphertexts as rows, what is worst first. Hosts that hold the same share one, and so do the secrets there."""
    short, _domain = short_hosts(sorted({row["host"] for row in rows}))
    on: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        same = (row["path"], row["line"], _secret(row), row["backend"], row["key"], row["version"], row["state"])
        on.setdefault(same, []).append(row)
    groups: dict[tuple[tuple[str, ...], str, str, int, str], list[Mapping[str, Any]]] = {}
    for found in on.values():
        one = found[0]
        hosts = tuple(dict.fromkeys(short[row["host"]] for row in found))
        key = f"{one['backend']}/{one['key']}" if one["key"] else ""
        groups.setdefault((hosts, folder_of(one), key, one["version"], one["state"]), []).append(one)
    made = [
        StatusRow(
            _named(hosts),
            _place(folder, found),
            _named(map(_secret, found)),
            key,
            version,
            state,
            len(hosts) * len(found),
        )
        for (hosts, folder, key, version, state), found in groups.items()
    ]
    return sorted(made, key=lambda row: -weight(row.state))


def _secret(row: Mapping[str, Any]) -> str:
    return str(row["secret"] or row["name"])


def _place(folder: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Where these are; with the line if there is a single one."""
    paths = {str(row["path"]) for row in rows}
    if len(rows) == 1:
        return place({**rows[0], "path": shortened(str(rows[0]["path"]))})
    return shortened(paths.pop()) if len(paths) == 1 else f"{shortened(folder)}/ ({len(paths)} files)"


def _named(names: Iterable[str]) -> str:
    """Two names, and the number of all others."""
    known = list(dict.fromkeys(names))
    if len(known) <= 2:
        return " and ".join(known)
    return f"{known[0]} and {len(known) - 1} more"
