# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the ciphertexts of a fleet let a key's rotation finish. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

# A host that has one of these variables holds ciphertexts.
PLACES = ("vault_transit_host_paths", "vault_transit_host_files")

# Results of the playbook rotate.yml for a host.
PROOF = "vault_transit_proof"
REWRAPPED = "vault_transit_rewrapped"

# A state of vault_transit_ciphertext_info.
BEHIND = "behind"

# The reason for a host without results because no task ran on it, as with --limit.
NOT_TRIED = "left out of this run"

# This many places of ciphertexts are listed.
_LISTED = 10


@dataclass(frozen=True)
class Verdict:
    """Whether the floor of a key (`min_decryption_version`) may be raised.

    Attributes:
        missing: hosts that could not be looked at, with the reasons.
        behind: places of ciphertexts that would no longer decrypt.
        left: how many of these a limit left for the next run.
    """

    missing: Mapping[str, str] = field(default_factory=dict)
    behind: Sequence[str] = ()
    left: int = 0

    @property
    def clean(self) -> bool:
        return not (self.missing or self.behind)

    @property
    def text(self) -> str:
        """Why the floor must stay where it is, empty if it may be raised."""
        parts = []
        if self.missing:
            hosts = ", ".join(f"{host} ({reason})" for host, reason in self.missing.items())
            parts.append(f"these hosts could not be looked at: {hosts}")
        if self.behind:
            places = ", ".join(self.behind[:_LISTED])
            more = f" and {len(self.behind) - _LISTED} more" if len(self.behind) > _LISTED else ""
            parts.append(f"these ciphertexts are still behind: {places}{more}")
        return "; ".join(parts)


def verdict(hosts: Iterable[Mapping[str, Any]], seen: str = PROOF) -> Verdict:
    """The results of all hosts, taken together.

    Args:
        hosts: the variables of each host.
        seen: the variable with the result of ``vault_transit_ciphertext_info`` for a host.
    """
    missing: dict[str, str] = {}
    behind: list[str] = []
    left = 0
    for variables in hosts:
        host = str(variables["inventory_hostname"])
        found = variables.get(seen) or {}
        if "ciphertexts" in found:
            behind += [f"{host}:{row['path']}:{row['line']}" for row in found["ciphertexts"] if row["state"] == BEHIND]
        elif (reason := missing_reason(variables, [found, variables.get(REWRAPPED) or {}])) is not None:
            missing[host] = reason
        left += int(((variables.get(REWRAPPED) or {}).get("totals") or {}).get("left", 0))
    return Verdict(missing, tuple(behind), left)


def missing_reason(variables: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> str | None:
    """Why there are no results for a host; ``None`` if it holds no ciphertexts.

    Args:
        results: those of the tasks that search it. After a failed task there are no more.
    """
    if not any(variables.get(name) for name in PLACES):
        return None
    for answer in results:
        if answer.get("unreachable"):
            return "unreachable"
        if answer.get("failed"):
            return f"failed: {str(answer.get('msg', '')).rstrip('.')}"
    return NOT_TRIED
