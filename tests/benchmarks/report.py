# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured figures as a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One work: what it cost here, what it cost elsewhere, and what it must not exceed."""

    work: str
    ours: str
    other: str
    required: str
    holds: bool
    ratio: float | None = None


def page(rows: Sequence[Row], versions: Mapping[str, str], processors: int) -> str:
    """The whole page in Markdown."""
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
        "Written by `make bench`. Each row compares within one run on one machine: whole processes, the same real",
        "server, local connections, five forks. Requests are counted in the server's audit log. The peer is",
        'community.hashi_vault; "raw" is the same requests over one connection that is kept open, without Ansible.',
        "The generator is compared with cdktn. Read ratios, not seconds.",
        "",
        f"{processors} processors; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| work | here | peer or limit | ratio | must reach | reached |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    # REUSE-IgnoreEnd
    lines += [
        f"| {row.work} | {row.ours} | {row.other} | {'' if row.ratio is None else f'{row.ratio:.1f}'} | {row.required} "
        f"| {'yes' if row.holds else '**no**'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
