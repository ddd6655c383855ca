# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the measured figures as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One task: its cost with mlkeys, its cost elsewhere, and the target."""

    work: str
    ours: str
    other: str
    required: str
    holds: bool
    ratio: float | None = None


def page(rows: Sequence[Row], versions: Mapping[str, str], processors: int) -> str:
    """Return the page in Markdown."""
    # REUSE-IgnoreStart: the page's licence, not this file's.
    lines = [
        "<!--",
        "SPDX-FileCopyrightText: 2026 mlkeys contributors",
        "SPDX-License-Identifier: GPL-3.0-or-later",
        "Written by `make bench`. Do not edit.",
        "-->",
        "",
        "# Benchmarks",
        "",
        "`make bench` writes this page. Each row compares results of one run on one machine: whole processes, the same",
        "real server, local connections, five forks. The audit log of the server counts the requests. The peer is",
        'community.hashi_vault. "raw" means the same requests over one open connection, without Ansible.',
        "The generator is compared with cdktn. Compare ratios, not seconds.",
        "",
        f"{processors} processors; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| task | mlkeys | peer or limit | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    # REUSE-IgnoreEnd
    lines += [
        f"| {row.work} | {row.ours} | {row.other} | {'' if row.ratio is None else f'{row.ratio:.1f}'} | {row.required} "
        f"| {'yes' if row.holds else '**no**'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
