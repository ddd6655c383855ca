# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Timeouts as the server's own client reads them, in Go's notation. **Private** to the collection.

More texts than the server accepts as durations of keys and tokens, which ``_shared/durations.py`` reads exactly.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import SECONDS

# Seconds. Sockets take no more than 2**31.
DEFAULT_TIMEOUT = 30
_LONGEST = 1e9

# A number may begin or end with a point. Days and weeks are of the server's client, not of Go. Micro has two signs.
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(w|d|h|ms|m|s|us|\u00b5s|\u03bcs|ns)")
_SECONDS: dict[str, float] = {**SECONDS, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9}


def seconds_of(text: str) -> float:
    """The seconds of ``90``, ``1m30s``, ``.5m``, ``1.s`` or ``500ms``.

    Raises:
        ValueError: it is not a duration.
    """
    if re.fullmatch(r"[0-9]+", text):
        return float(text)
    unsigned = text[1:] if text.startswith("+") else text
    parts = _PART.findall(unsigned)
    # Go reads a bare zero, with a sign as well.
    if unsigned != "0" and (not parts or "".join(number + unit for number, unit in parts) != unsigned):
        raise ValueError
    return sum((float(number) * _SECONDS[unit] for number, unit in parts), 0.0)


def timeout_of(value: Any) -> float:
    """``30``, ``"30"``, ``1m30s`` or ``500ms``; the default for nothing and, as for the server's client, for zero.

    Raises:
        ValueError: it is something else.
    """
    if value is None or value == "":
        return DEFAULT_TIMEOUT
    if isinstance(value, bool):
        raise ValueError
    seconds = seconds_of(value) if isinstance(value, str) else float(value)
    if not 0 <= seconds < _LONGEST:
        raise ValueError
    return (int(seconds) if seconds.is_integer() else seconds) or DEFAULT_TIMEOUT
