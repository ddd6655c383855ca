# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a text may contain a secret at all, by the marks of the rules in key_patterns.toml.

Nearly no text of a program does. To load the rules takes as long as all the rest of a small program, so this reads
nothing of the file but its marks.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cache

#: Characters, more than any mark looks at.
FAR_ENOUGH = 40

# The lines of the file that hold marks, and the texts in them.
_LINE = re.compile(r"^(keywords|marks) *= *\[(.*)\]", re.MULTILINE)
_TEXT = re.compile(r"""(["'])(.*?)\1""")


def rules_text() -> str:
    """The rules of this package, as TOML."""
    # `importlib.resources` would take a tenth of the time that a small program takes.
    return (pkgutil.get_data("mlkeys._providers", "key_patterns.toml") or b"").decode()


def built_in_marks() -> Iterator[str]:
    """Yield the marks of all rules of this package."""
    for kind, texts in _LINE.findall(rules_text()):
        yield from (mark_of(text) if kind == "keywords" else text for _quote, text in _TEXT.findall(texts))


def mark_of(keyword: str) -> str:
    """Return the mark that a keyword of a rule is."""
    return re.escape(keyword.lower()[:FAR_ENOUGH])


def may_hold_a_secret(text: str) -> bool:
    """Whether a text has a mark of a secret."""
    return _any_mark().search(text.lower()) is not None


@cache
def _any_mark() -> re.Pattern[str]:
    return any_of(dict.fromkeys(built_in_marks()))


def any_of(marks: Iterable[str]) -> re.Pattern[str]:
    """Any of these expressions, the longest that matches. Grouped by first letter, they are found much faster."""
    by_letter: dict[str, list[str]] = {}
    for mark in sorted(marks, key=len, reverse=True):
        first = 2 if mark.startswith("\\") else 1
        by_letter.setdefault(mark[:first], []).append(mark[first:])
    return re.compile("|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in by_letter.items()))
