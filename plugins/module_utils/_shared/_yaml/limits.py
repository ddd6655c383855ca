# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""YAML texts that are short, and take all time or memory of a program that loads them. Pure.

The loader that PyYAML has in C calls itself for each level, without a limit: a text of 100 KB crashes the process. And
with a few aliases of aliases, a text of 1 KB holds a billion values.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Iterable

MOST_LEVELS = 100
MOST_REPEATED = 20_000


def yaml_problem(text: bytes, events: Callable[[], Iterable[Any]]) -> str:
    """Why a text must not be loaded, empty if it may.

    Args:
        events: returns the events of ``yaml.parse``. Not called for most texts, in which a look shows enough.
    """
    if _most_levels(text) <= MOST_LEVELS and not (b"&" in text and b"*" in text):
        return ""
    size = _Size()
    for event in events():
        problem = size.add(event)
        if problem:
            return problem
    return ""


def _most_levels(text: bytes) -> int:
    """A limit that is fast to compute: each level has a sign of its own, or a line that is indented further."""
    return sum(text.count(sign) for sign in (b"[", b"{", b"-", b"?")) + math.isqrt(2 * len(text))


class _Size:
    """What a text holds, aliases followed."""

    def __init__(self) -> None:
        self._open: list[tuple[str, int]] = []
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._repeated = 0

    def add(self, event: Any) -> str:
        """The problem that the text has with this event."""
        name = type(event).__name__
        anchor = str(getattr(event, "anchor", None) or "")
        if name in ("MappingStartEvent", "SequenceStartEvent"):
            self._open.append((anchor, self._total))
            self._sizes.pop(anchor, None)
            return "is nested too deeply" if len(self._open) > MOST_LEVELS else ""
        if name in ("MappingEndEvent", "SequenceEndEvent"):
            opened, before = self._open.pop()
            self._total += 1
            self._keep(opened, self._total - before)
        elif name == "ScalarEvent":
            self._total += 1
            self._keep(anchor, 1)
        elif name == "AliasEvent":
            if any(anchor == opened for opened, _before in self._open):
                return "contains a value that contains itself"
            self._total += self._sizes.get(anchor, 1)
            self._repeated += self._sizes.get(anchor, 1)
        return "repeats its values too often" if self._repeated > MOST_REPEATED else ""

    def _keep(self, anchor: str, size: int) -> None:
        if anchor:
            self._sizes[anchor] = size
