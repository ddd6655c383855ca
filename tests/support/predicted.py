# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what check mode predicted with what the following run changed, task by task and host by host.

    python -m tests.support.predicted FOLDER

The callback `changes` writes the files of the folder.
"""

from __future__ import annotations

import collections
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Changes = collections.Counter[tuple[str, str]]


def differences(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Compare each run in check mode with the next real run of the same playbook."""
    found, compared = [], 0
    for number, check in enumerate(runs):
        if not check["check"]:
            continue
        following = runs[number + 1 :]
        real = next((run for run in following if run["playbook"] == check["playbook"] and not run["check"]), None)
        if real is None:
            continue
        compared += 1
        predicted, done = (_counted(run["changed"]) for run in (check, real))
        found += [f"{host}: '{task}' was predicted and did not change" for host, task in (predicted - done).elements()]
        found += [f"{host}: '{task}' changed and was not predicted" for host, task in (done - predicted).elements()]
        if not done:
            found.append(f"{real['playbook']} changed nothing, so nothing could be compared")
    return found if compared else ["there was no run in check mode before a real one"]


def _counted(changed: Sequence[Sequence[str]]) -> Changes:
    return collections.Counter((host, task) for host, task in changed)


def main() -> None:
    folder = Path(sys.argv[1])
    found = differences([json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))])
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
