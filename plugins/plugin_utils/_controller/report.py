# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a playbook's run, for the program that started it. **Private** to the collection."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

VARIABLE = "MLKEYS_REPORT_FD"

# The counts of a host, by the names that Ansible's recap shows.
_COUNTS = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "dark",
    "failed": "failures",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}


class Report:
    """Collects what a run did. The values of results stay out: they may hold secrets."""

    def __init__(self) -> None:
        self._refused = 0
        self._refused_items: list[bool] = []

    def add_failure(self, result: Mapping[str, Any]) -> None:
        """Count a failed task, as refused when no further run can change the answer."""
        # A loop fails once as a whole, after its items.
        items, self._refused_items = self._refused_items, []
        self._refused += all(items) if items else bool(result.get("refused"))

    def add_item_failure(self, result: Mapping[str, Any]) -> None:
        self._refused_items.append(bool(result.get("refused")))

    def document(self, stats: Any) -> dict[str, Any]:
        """The report: counts by host, refusals, and what tasks set for the whole run."""
        hosts = {
            host: {name: int(getattr(stats, field).get(host, 0)) for name, field in _COUNTS.items()}
            for host in sorted(stats.processed)
        }
        return {"version": 1, "hosts": hosts, "refused": self._refused, "stats": stats.custom.get("_run", {})}

    def send(self, stats: Any) -> None:
        """Write the report to the descriptor that the starting program names, and close it."""
        descriptor = os.environ.get(VARIABLE, "")
        if descriptor.isdigit():
            with os.fdopen(int(descriptor), "w", encoding="utf-8") as pipe:
                json.dump(self.document(stats), pipe)
