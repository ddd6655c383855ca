# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ages and periods in words. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age_text(seconds: int | None) -> str:
    """A number of seconds in the largest unit that fits, such as ``90 d``; empty for an unknown age."""
    if seconds is None:
        return ""
    for length, unit in ((_DAY, "d"), (_HOUR, "h")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds // _MINUTE} min"
