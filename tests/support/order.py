# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the tests: the slowest files first, one for each worker in turn."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.collection import ROOT

# What takes the longest, longest first. A worker that gets one of these last runs alone at the end.
SLOWEST = (
    "e2e/test_hosts",
    "integration/action/test_both_ways",
    "cdk/commands/test_deployments",
    "e2e/test_rotation",
    "cdk/commands/test_fleet_commands",
    "cdk/commands/test_deploy",
    "cdk/commands",
    "e2e",
    "docs/test_pages",
    "integration/action",
    "integration/connection/test_cluster",
    "cdk/targets",
)


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests with the slowest files at the front of the part of each worker. Files stay together."""
    slow: dict[tuple[int, str], list[pytest.Item]] = {}
    quick = []
    for item in items:
        name = item.path.relative_to(ROOT / "tests").as_posix()
        rank = next((rank for rank, prefix in enumerate(SLOWEST) if name.startswith(prefix)), None)
        if rank is None:
            quick.append(item)
        else:
            slow.setdefault((rank, name), []).append(item)
    parts: list[list[pytest.Item]] = [[] for _worker in range(workers)]
    for number, file in enumerate(sorted(slow)):
        parts[number % workers] += slow[file]
    for number, part in enumerate(parts):
        # As xdist cuts the list: the last parts get what does not divide.
        more = max(0, (len(items) + number) // workers - len(part))
        part.extend(quick[:more])
        del quick[:more]
    return [item for part in parts for item in part] + quick
