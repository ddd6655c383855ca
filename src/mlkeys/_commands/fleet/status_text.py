# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the playbook `mlkeys.transit.status` reports, put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkeys._shared.age import age_text


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a key and how many ciphertexts it has. `state` is `current`, `behind` or `too old`."""

    number: int
    age: str
    ciphertexts: int
    state: str
    share: float


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key as a row of a table, or as a bar of the page."""

    path: str
    kind: str
    latest: int
    floor: int
    age: str
    rotated_every: str
    overdue: bool
    versions: Sequence[Version]

    @property
    def ciphertexts(self) -> int:
        return sum(version.ciphertexts for version in self.versions)

    @property
    def used(self) -> list[Version]:
        """The versions that ciphertexts have."""
        return [version for version in self.versions if version.ciphertexts]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """All that was found in one fleet."""

    name: str
    report: Mapping[str, Any]

    @property
    def keys(self) -> list[KeyStatus]:
        return [_key(told) for told in self.report["keys"]]

    @property
    def problems(self) -> list[Mapping[str, str]]:
        return list(self.report["problems"])

    @property
    def ciphertexts(self) -> list[Mapping[str, Any]]:
        return list(self.report["ciphertexts"])

    @property
    def seen(self) -> list[str]:
        return list(self.report["hosts"]["seen"])

    @property
    def missing(self) -> dict[str, str]:
        return dict(self.report["hosts"]["missing"])

    @property
    def healthy(self) -> bool:
        return bool(self.report["healthy"])

    def by_host(self) -> dict[str, list[Mapping[str, Any]]]:
        """The ciphertexts of each host."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.ciphertexts:
            found.setdefault(row["host"], []).append(row)
        return found


def _key(told: Mapping[str, Any]) -> KeyStatus:
    total = sum(version["ciphertexts"] for version in told["versions"])
    period = told["auto_rotate_period"]
    return KeyStatus(
        path=f"{told['backend']}/{told['name']}",
        kind=told["type"],
        latest=told["latest_version"],
        floor=told["min_decryption_version"],
        age=age_text(told["age_seconds"]),
        rotated_every=age_text(period) if period else "",
        overdue=told["overdue"],
        versions=[
            Version(
                version["version"],
                age_text(version["age_seconds"]),
                version["ciphertexts"],
                version["state"],
                100 * version["ciphertexts"] / total if total else 0,
            )
            for version in told["versions"]
        ],
    )


def place(row: Mapping[str, Any]) -> str:
    """Where a ciphertext is on its host."""
    return f"{row['path']}:{row['line']}"
