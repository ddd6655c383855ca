# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user accepts by name. Pure. **Private** to the collection."""

from __future__ import annotations

import fnmatch
from typing import Any, Mapping, Sequence


class Acceptance:
    """What a user takes responsibility for: patterns of paths, or of hosts and paths."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._used: set[str] = set()

    def covers(self, place: Mapping[str, Any]) -> bool:
        names = (str(place["path"]), f"{place['host']}:{place['path']}")
        # A name may have the signs of a pattern.
        matching = {one for one in self._patterns for name in names if name == one or fnmatch.fnmatchcase(name, one)}
        self._used |= matching
        return bool(matching)

    @property
    def unused(self) -> list[str]:
        return [one for one in self._patterns if one not in self._used]


def unused(
    unknown: Acceptance, unread: Acceptance, used: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], list[str]]:
    """The patterns that match nothing, by what they should match, and the same in words.

    Args:
        used: those that matched something in other places.
    """
    patterns = {
        kind: [one for one in accepted.unused if one not in used.get(kind, ())]
        for kind, accepted in (("unknown", unknown), ("unread", unread))
    }
    words = [f"accepted: {pattern} matches nothing that is {kind}" for kind in patterns for pattern in patterns[kind]]
    return patterns, words
