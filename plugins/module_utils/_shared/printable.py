# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Texts of others, as a terminal may show them.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re
from typing import Any


def printable(text: str) -> str:
    """The text with control characters as escapes: a name could otherwise move the cursor, or hide other lines."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in text
    )


def one_line(text: str) -> str:
    """The same, without line breaks: a name with one could pretend that another message begins."""
    return printable(text).replace("\n", "\\n")


def shortened(text: str, most: int) -> str:
    """The beginning of the text, in at most so many characters, and a sign that there was more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def as_utf8(name: str) -> str:
    """The name of a file as a result may have it: those that are not UTF-8 with escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def all_printable(value: Any) -> Any:
    """The same data with each of its texts printable and on one line."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {all_printable(name): all_printable(inner) for name, inner in value.items()}
    return [all_printable(inner) for inner in value] if isinstance(value, list) else value


# What may be the name of a host, as people write it. A token has longer parts.
_PLACE = re.compile(r"(?:[A-Za-z0-9_-]{0,19}[.:/\[\]])*[A-Za-z0-9_-]{0,19}")


def without_login(url: str) -> str:
    """The URL without a user, a password and a query that it may have: an error must not repeat them.

    Another text than a URL, which may be a secret in a wrong place, is left out.
    """
    scheme, slashes, rest = url.partition("//")
    # What is before an "@" may be a password with any character, and what is after it a part of a query.
    place = re.split("[?#&]", re.split("@|%40", rest if slashes else url)[-1])[0]
    if slashes:
        return f"{scheme}//{place}"
    return place if _PLACE.fullmatch(place) else "***"
