# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Keep below the rate of requests that was set, and read how often to retry. **Private** to the collection."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import json_or_text

# As the server's own client reads it: a colon needs a burst.
_RATE = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?::\+?[0-9]+)?")


def rate_of(value: Any) -> tuple[float, int] | None:
    """A rate in text: ``10`` or ``10:20``: requests for each second, and how many at once.

    Returns:
        ``None`` for no limit, which zero is as well for the server's own client.

    Raises:
        ValueError: it is something else.
    """
    if value is None or value == "":
        return None
    if not _RATE.fullmatch(str(value)):
        raise ValueError
    first, _colon, second = str(value).partition(":")
    rate = float(first)
    if not 0 <= rate < 1e6:
        raise ValueError
    # The server's own client accepts a burst of zero. Then one request at a time is left.
    burst = max(1, int(second or rate))
    return (rate, burst) if rate else None


class Pace:
    """Lets so many requests through for each second, and at first some at once, as the server's own client does.

    Args:
        rate: requests for each second, and how many at once; ``None`` for no limit.
    """

    def __init__(self, rate: tuple[float, int] | None) -> None:
        self._rate, self._burst = rate or (0.0, 0)
        self._left = float(self._burst)
        self._last = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may be sent."""
        if not self._rate:
            return
        with self._lock:
            pause = self._take(time.monotonic())
        if pause > 0:
            time.sleep(pause)

    def _take(self, now: float) -> float:
        """Take the place of one request, and return the seconds until it is its turn."""
        if self._last:
            self._left = min(float(self._burst), self._left + (now - self._last) * self._rate)
        self._last = now
        self._left -= 1
        return max(0.0, -self._left / self._rate)


def retries_of(value: Any) -> dict[str, Any] | int:
    """``3``, ``"3"``, ``{"total": 3, …}`` or the same as JSON; empty for no retries.

    Raises:
        ValueError: it is something else.
    """
    parsed = json_or_text(value)
    if parsed is None or parsed is False:
        return {}
    if isinstance(parsed, dict):
        return parsed
    if not re.fullmatch(r"[0-9]+", str(parsed)):
        raise ValueError
    return int(parsed) or {}
