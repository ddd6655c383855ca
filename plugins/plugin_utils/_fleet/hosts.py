# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts may hold ciphertexts, and which of them were not searched. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

# A host that has one of these variables may hold ciphertexts.
PLACES = (
    "vault_transit_host_paths",
    "vault_transit_host_files",
    "vault_transit_host_services",
    "vault_transit_host_vars_files",
)

# The reason for a host without results because no task ran on it, as with --limit.
NOT_TRIED = "left out of this run"


def missing_reason(variables: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> str | None:
    """Why a host was not searched; ``None`` if it was, or has nothing to search.

    Args:
        results: those of the tasks that search it, the last one first. After a failed task there are no more.
    """
    answers = list(results)
    if answers and "ciphertexts" in answers[0] and not answers[0].get("failed"):
        return None
    if not any(variables.get(name) for name in PLACES):
        return None
    for answer in answers:
        if answer.get("unreachable"):
            return "unreachable"
        if answer.get("failed"):
            return f"failed: {str(answer.get('msg', '')).rstrip('.')}"
        if answer.get("skipped"):
            # Nothing on this host is declared that could hold one.
            return None
    return NOT_TRIED
