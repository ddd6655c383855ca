# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ciphertexts of a fleet say of a key's rotation. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

# Variables that say that a host holds ciphertexts.
PLACES = ("vault_transit_host_paths", "vault_transit_host_files")

# What tasks of the playbook rotate.yml have told of a host.
PROOF = "vault_transit_proof"
REWRAPPED = "vault_transit_rewrapped"

# A state of vault_transit_ciphertext_info.
BEHIND = "behind"

# Why a host has not been looked at that no task was for, as with --limit.
NOT_TRIED = "left out of this run"

# Of what is behind, so many places are told.
_TOLD = 10


@dataclass(frozen=True)
class Verdict:
    """Whether the floor of a key may be raised.

    Attributes:
        missing: hosts that could not be looked at, with the reason.
        behind: places of ciphertexts that would be lost.
        left: how many of them only wait for the next run.
    """

    missing: Mapping[str, str] = field(default_factory=dict)
    behind: Sequence[str] = ()
    left: int = 0

    @property
    def clean(self) -> bool:
        return not (self.missing or self.behind)

    @property
    def text(self) -> str:
        """What keeps the floor where it is, as a sentence; empty when nothing does."""
        parts = []
        if self.missing:
            hosts = ", ".join(f"{host} ({reason})" for host, reason in self.missing.items())
            parts.append(f"these hosts could not be looked at: {hosts}")
        if self.behind:
            places = ", ".join(self.behind[:_TOLD])
            more = f" and {len(self.behind) - _TOLD} more" if len(self.behind) > _TOLD else ""
            parts.append(f"these ciphertexts are still behind: {places}{more}")
        return "; ".join(parts)


def verdict(hosts: Iterable[Mapping[str, Any]], seen: str = PROOF) -> Verdict:
    """What was seen on all hosts, taken together.

    Args:
        hosts: the variables of each host.
        seen: the variable that holds what ``vault_transit_ciphertext_info`` told of a host.
    """
    missing: dict[str, str] = {}
    behind: list[str] = []
    left = 0
    for variables in hosts:
        host = str(variables["inventory_hostname"])
        told = variables.get(seen) or {}
        if "ciphertexts" in told:
            behind += [f"{host}:{row['path']}:{row['line']}" for row in told["ciphertexts"] if row["state"] == BEHIND]
        elif (reason := missing_reason(variables, [told, variables.get(REWRAPPED) or {}])) is not None:
            missing[host] = reason
        left += int(((variables.get(REWRAPPED) or {}).get("totals") or {}).get("left", 0))
    return Verdict(missing, tuple(behind), left)


def missing_reason(variables: Mapping[str, Any], told: Iterable[Mapping[str, Any]]) -> str | None:
    """Why a host has not been looked at; ``None`` when it holds no ciphertexts.

    Args:
        told: what tasks that were to do so returned. After one that failed there are no more.
    """
    if not any(variables.get(name) for name in PLACES):
        return None
    for answer in told:
        if answer.get("unreachable"):
            return "unreachable"
        if answer.get("failed"):
            return f"failed: {str(answer.get('msg', '')).rstrip('.')}"
    return NOT_TRIED
