# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places that files of the project declare, and no host of the run does. Pure. **Private** to the collection.

Of two inventories with a variable for all hosts, the last one wins; a play and a role may set variables that only they
see. What these name may hold ciphertexts, and nothing searches it.
"""

from __future__ import annotations

import os
from typing import Any, Iterable, Iterator, Mapping, Protocol, Sequence

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    FILES,
    PATHS,
    SERVICES,
    declared,
)

#: The variables, and what they all begin with.
NAMES = (PATHS, FILES, SERVICES)
PREFIX = b"vault_transit_host_"
_WAYS = (
    "declare it in the inventory, rotate each inventory by itself (--also for the others) if it is of another one, or "
    "accept the file"
)
_NAMED = 3


class _Written(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def values(self) -> Sequence[Any]: ...


def overridden(
    written: Iterable[_Written], raw: Iterable[Mapping[str, Any]], hosts: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The places that no host declares, as places that were not searched.

    A template is declared if a host has the same text. Nothing evaluates it.

    Args:
        raw: the variables of each host, with their templates.
        hosts: the same, evaluated.
    """
    texts = {(name, text) for one in raw for name in NAMES for text in _texts(name, one.get(name))}
    searched = {path.rstrip("/") for one in hosts for path in declared(one).paths}
    for one in written:
        missing = [
            text
            for text in _texts(one.name, one.values)
            if (one.name, text) not in texts and not (one.name != SERVICES and _is_within(text, searched))
        ]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            places = f"{', '.join(missing[:_NAMED])}{more}"
            reason = f"line {one.line}: {one.name} names {places}, which no host of this run declares: {_WAYS}"
            yield {"path": one.path, "line": one.line, "reason": reason, "kind": "failed"}


def _texts(name: str, value: Any) -> Iterator[str]:
    for one in [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ():
        text = one
        if isinstance(one, Mapping):
            text = "" if one.get("state") == "absent" else one.get("name" if name == SERVICES else "dest")
        if isinstance(text, str) and text:
            yield str(text)


def _is_within(text: str, places: Iterable[str]) -> bool:
    path = os.path.normpath(text)
    return any(path == place or path.startswith(place + os.sep) for place in places)
