# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The report of the playbook `mlkeys.transit.status`, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkeys._shared.age import age_text


@dataclass(frozen=True, slots=True)
class Version:
    """A key version and its number of ciphertexts. `state` is `current`, `behind` or `too old`."""

    number: int
    age: str
    ciphertexts: int
    state: str
    share: float


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key: a row of the table, or a bar of the page."""

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
        """The versions in use."""
        return [version for version in self.versions if version.ciphertexts]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The report on one fleet."""

    name: str
    report: Mapping[str, Any]

    @property
    def keys(self) -> list[KeyStatus]:
        return [_key(row) for row in self.report["keys"]]

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


def _key(row: Mapping[str, Any]) -> KeyStatus:
    total = sum(version["ciphertexts"] for version in row["versions"])
    period = row["auto_rotate_period"]
    return KeyStatus(
        path=f"{row['backend']}/{row['name']}",
        kind=row["type"],
        latest=row["latest_version"],
        floor=row["min_decryption_version"],
        age=age_text(row["age_seconds"]),
        rotated_every=age_text(period) if period else "",
        overdue=row["overdue"],
        versions=[
            Version(
                version["version"],
                age_text(version["age_seconds"]),
                version["ciphertexts"],
                version["state"],
                100 * version["ciphertexts"] / total if total else 0,
            )
            for version in row["versions"]
        ],
    )


def place(row: Mapping[str, Any]) -> str:
    """The file and the line of a ciphertext."""
    return f"{row['path']}:{row['line']}"
