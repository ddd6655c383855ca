# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""When the server made something, and how old it is. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Mapping

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def moment(value: Any) -> float | None:
    """Seconds since the epoch of a time as the server writes it, ``None`` for anything else."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str):
        return None
    # Whole seconds suffice, and Python before 3.11 reads no nanoseconds. The zone is the server's own.
    parts = _TIMESTAMP.fullmatch(value)
    return datetime.strptime("".join(parts.groups()), "%Y-%m-%dT%H:%M:%S%z").timestamp() if parts else None


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def creation_times(actual: Mapping[str, Any]) -> dict[int, float]:
    """When each listed version of a key was made: a number for symmetric keys, else a mapping with a time."""
    times = {}
    for version, value in (actual.get("keys") or {}).items():
        created = moment(value.get("creation_time") if isinstance(value, dict) else value)
        if created is not None:
            times[int(version)] = created
    return times


def latest_age(actual: Mapping[str, Any], now: float) -> float | None:
    """Seconds since the latest version of a key was made, ``None`` when the server does not report it (type hmac)."""
    created = creation_times(actual).get(actual["latest_version"])
    return None if created is None else max(0.0, now - created)
