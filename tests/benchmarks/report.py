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
        "The generator is compared with cdktn, the linter with detect-secrets and kingfisher, which get the same",
        "files and ask no server. Compare ratios, not seconds.",
        "",
        f"{processors} processors; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| task | mlkeys | peer or limit | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    # REUSE-IgnoreEnd
    return "\n".join([*lines, *map(_line, rows)]) + "\n"


def renewed(old: str, rows: Sequence[Row]) -> str:
    """Return a page with these rows in place of those of the same tasks. What is new comes last."""
    lines = {_task(line): line for line in old.splitlines() if line.startswith("| ")}
    lines.update({row.work: _line(row) for row in rows})
    head = [line for line in old.splitlines() if not line.startswith("| ")]
    return "\n".join([*head, *lines.values()]) + "\n"


def _task(line: str) -> str:
    return line.split(" | ", maxsplit=1)[0].removeprefix("| ")


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
    return f"| {row.work} | {row.ours} | {row.other} | {ratio} | {row.required} | {'yes' if row.holds else '**no**'} |"
