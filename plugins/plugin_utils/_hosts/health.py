# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a service counts as up. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

# Seconds that a program has to live.
_GRACE = 5.0

# How to find out that a program answers.
PROBES = ("port", "url", "command", "notify")

_SPAN = re.compile(r"[0-9]+(?:ms|s|min)?")


def health(service: Mapping[str, Any]) -> dict[str, Any]:
    """How to find out that it is up. It need not restart when this changes."""
    grace = service.get("startup_grace")
    ready = {str(name): value for name, value in (service.get("ready") or {}).items() if value is not None}
    return {"startup_grace": _GRACE if grace is None else float(grace), "ready": ready}


def start_type(service: Mapping[str, Any]) -> str:
    """When systemd considers the program started; empty if that is unset."""
    notifies = bool((service.get("ready") or {}).get("notify"))
    return str(service.get("type") or ("notify" if notifies else ""))


def problems_of_health(service: Mapping[str, Any]) -> Iterator[str]:
    ready = service.get("ready") or {}
    if ready and sum(ready.get(name) not in (None, False) for name in PROBES) != 1:
        yield f"ready must set exactly one of {', '.join(PROBES)}"
    url = ready.get("url")
    if url is not None and not re.fullmatch(r"https?://[^\s'\"]+", str(url)):
        yield "ready: url must begin with http:// or https://"
    port = ready.get("port")
    if port is not None and not (str(port).isdigit() and 0 < int(port) < 65536):
        yield "ready: port must be a number from 1 to 65535"
    if (ready.get("command") or ["/"])[0][:1] != "/":
        yield "ready: command must begin with the absolute path of a program"
    if service.get("watchdog") and not _SPAN.fullmatch(str(service["watchdog"])):
        yield "watchdog must be a time such as 30s"
    if service.get("watchdog") and start_type(service) != "notify":
        yield "watchdog needs type notify"
    if ready.get("notify") and start_type(service) != "notify":
        yield "ready: notify needs type notify"
