# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user accepts by name. Pure. **Private** to the collection."""

from __future__ import annotations

import fnmatch
from typing import Any, Iterable, Mapping, Sequence


class Acceptance:
    """What a user takes responsibility for: patterns of paths, or of hosts and paths."""

    def __init__(self, patterns: Sequence[str], places: Iterable[Mapping[str, Any]] = ()) -> None:
        """
        Args:
            places: all that may be accepted. A pattern that is the name of one of them stands for that one alone.
        """
        self._patterns = patterns
        self._names = {name for place in places for name in _names(place)}.intersection(patterns)
        self._used: set[str] = set()

    def covers(self, place: Mapping[str, Any]) -> bool:
        matching = {one for one in self._patterns for name in _names(place) if self._matches(name, one)}
        self._used |= matching
        return bool(matching)

    def _matches(self, name: str, pattern: str) -> bool:
        # A name may have the signs of a pattern.
        return name == pattern or (pattern not in self._names and fnmatch.fnmatchcase(name, pattern))

    @property
    def unused(self) -> list[str]:
        return [one for one in self._patterns if one not in self._used]


def _names(place: Mapping[str, Any]) -> tuple[str, str]:
    return str(place["path"]), f"{place['host']}:{place['path']}"


def unused(
    unknown: Acceptance, unread: Acceptance, used: Mapping[str, Sequence[str]], missing: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """The patterns that match nothing, by what they should match; the same in words; and those of them that are wrong.

    The others may match what a host has that was not looked at.

    Args:
        used: those that matched something in other places.
        missing: the hosts that were not looked at, with the reasons.
    """
    patterns = {
        kind: [one for one in accepted.unused if one not in used.get(kind, ())]
        for kind, accepted in (("unknown", unknown), ("unread", unread))
    }
    words, wrong = [], []
    for kind, pattern in [(kind, one) for kind, every in patterns.items() for one in every]:
        host = pattern.partition(":")[0]
        if pattern == f"{host}:*" and host in missing:
            text = f"accepted: {pattern} cannot stand for a host that was not looked at ({missing[host]})"
        else:
            text = f"accepted: {pattern} matches nothing that is {kind}"
        words.append(text)
        if not missing or pattern == f"{host}:*":
            wrong.append(text)
    return patterns, words, wrong
