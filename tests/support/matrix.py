# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run everything on each supported ansible-core and Python of this machine, and print one table of the results.

`python -m tests.support.matrix` runs what `make test-matrix` runs; with arguments of pytest, those tests alone. That
takes hours, so what has passed is not run once more while no file has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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

    sessions = [
        session_of(release, python, noxfile.WHOLE) for release, each in noxfile.PYTHONS.items() for python in each
    ]
    # Checks take no arguments of pytest.
    checks = [] if arguments else CHECKS
    record = noxfile.CACHE / "matrix.json"
    files = tree_of(noxfile.ROOT)
    before = {} if arguments else passed_before(record, files)
    results = dict(before)
    try:
        for session in (*checks, *sessions):
            if session not in results:
                results[session] = run(noxfile.ROOT, session, arguments)
            if not arguments:
                passed = [name for name, result in results.items() if result == "passed"]
                record.write_text(json.dumps({"files": files, "passed": passed}), encoding="utf-8")
    except KeyboardInterrupt:
        sys.stdout.write("\nStopped. Once more with the same files, it goes on with what has not passed yet.\n")

    def shown(release: str, python: str) -> str:
        session = session_of(release, python, noxfile.WHOLE)
        which = "" if arguments else "all tests " if session.startswith("tests-") else "core tests "
        found = results.get(session, "not run")
        return f"{which}{found}" if found == "passed" else found

    lines = [f"{name}: {results.get(name, 'not run')}" for name in checks]
    if before:
        lines.append(f"Passed in a former run, with the same files: {', '.join(before)}")
    sys.stdout.write("\n".join(["", table(noxfile.PYTHONS, shown), "", *lines, ""]))
    good = all(results.get(name) in (_RESULTS["success"], _RESULTS["skipped"]) for name in (*checks, *sessions))
    return 0 if good else 1


def run(root: Path, session: str, arguments: Sequence[str]) -> str:
    """Run one session of nox. A report of its own says how it ended, so that an interruption loses no other."""
    report = root / ".cache" / "matrix-session.json"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "nox", "--report", str(report), "--session", session]
    subprocess.run([*command, *(["--", *arguments] if arguments else [])], cwd=root, check=False)
    return results_of(report).get(session, "not run")


def tree_of(root: Path) -> str:
    """Return the name that git would give to the work tree with all files that it doesn't ignore."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        for words in (["add", "--all"], ["write-tree"]):
            done = subprocess.run(
                ["git", *words],  # noqa: S607
                cwd=root,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
    return done.stdout.strip()


def passed_before(record: Path, files: str) -> dict[str, str]:
    """Return what passed in a former run with the same files."""
    if not record.exists():
        return {}
    former = json.loads(record.read_text(encoding="utf-8"))
    return dict.fromkeys(former["passed"], _RESULTS["success"]) if former["files"] == files else {}


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
