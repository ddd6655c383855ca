# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run everything on each supported ansible-core and Python of this machine, and print one table of the results.

`python -m tests.support.matrix` runs what `make test-matrix` runs; with arguments of pytest, those tests alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# What else has to pass, once.
CHECKS = ("lint", "docs", "build", "molecule", "sanity")

_RESULTS = {"success": "passed", "skipped": "not on this machine", "failed": "FAILED", "aborted": "ABORTED"}


def table(supported: Mapping[str, Sequence[str]], cell: Callable[[str, str], str]) -> str:
    """A table in Markdown with a row for each release of ansible-core and a column for each Python.

    Args:
        supported: the Pythons of each release.
        cell: what is in the cell of a release and a Python.
    """
    pythons = sorted({python for each in supported.values() for python in each}, key=_numbers)
    rows = [["ansible-core", *(f"Python {python}" for python in pythons)]]
    rows += [
        [release, *(cell(release, one) if one in each else "" for one in pythons)]
        for release, each in supported.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(text.ljust(width) for text, width in zip(row, widths, strict=True))} |" for row in rows
    )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def session_of(release: str, python: str, whole: Mapping[str, str]) -> str:
    """The session of nox that runs a cell.

    Args:
        whole: the Python on which a release runs all tests.
    """
    return f"tests-{release}" if whole.get(release) == python else f"core-{release}-{python}"


def main(arguments: Sequence[str]) -> int:
    import noxfile

    report = noxfile.CACHE / "matrix.json"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    sessions = [
        session_of(release, python, noxfile.WHOLE) for release, each in noxfile.PYTHONS.items() for python in each
    ]
    # Checks take no arguments of pytest.
    named = ["--session", *([] if arguments else CHECKS), *sessions]
    command = [sys.executable, "-m", "nox", "--report", str(report), *named, *(["--", *arguments] if arguments else [])]
    done = subprocess.run(command, cwd=noxfile.ROOT, check=False)
    results = results_of(report)

    def shown(release: str, python: str) -> str:
        session = session_of(release, python, noxfile.WHOLE)
        which = "" if arguments else "all tests " if session.startswith("tests-") else "core tests "
        found = results.get(session, "not run")
        return f"{which}{found}" if found == "passed" else found

    checks = [] if arguments else [f"{name}: {results.get(name, 'not run')}" for name in CHECKS]
    sys.stdout.write("\n".join(["", table(noxfile.PYTHONS, shown), "", *checks, ""]))
    return done.returncode


def results_of(report: Path) -> dict[str, str]:
    """Return the result of each session in a report of nox. Without a report, because nox was stopped, there are none.

    Sessions of several Pythons have the same name there, but a signature of their own.
    """
    if not report.exists():
        return {}
    sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"]
    return {name: _RESULTS.get(one["result"], one["result"]) for one in sessions for name in one["signatures"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
