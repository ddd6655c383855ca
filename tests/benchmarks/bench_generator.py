# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The generator against cdktn: whole processes, from the start of Python to the last written byte.

Run it on a quiet machine with: python tests/benchmarks/bench_generator.py
It ends with status 1 when a promise is not kept: at 1 and at 500 keys 8 times as fast and with a fifth of the
memory (Node included), and linear up to 5,000 keys.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

OURS = """
import sys
from mlkeys import App, Stack
from mlkeys import transit as vault
app = App(targets=sys.argv[3].split(","))
with Stack(app, "bench"):
    engine = vault.TransitSecretBackend("engine", path="transit", description="Benchmark")
    for number in range(int(sys.argv[1])):
        vault.TransitSecretBackendKey(
            f"key-{number}", backend=engine.path, name=f"key-{number}", type="aes256-gcm96", derived=True)
app.synth(sys.argv[2])
"""

THEIRS = """
import sys
from cdktn import App, TerraformStack
from cdktn_provider_vault.mount import Mount
from cdktn_provider_vault.provider import VaultProvider
from cdktn_provider_vault.transit_secret_backend_key import TransitSecretBackendKey
app = App(outdir=sys.argv[2])
stack = TerraformStack(app, "bench")
VaultProvider(stack, "vault")
engine = Mount(stack, "engine", path="transit", type="transit", description="Benchmark")
for number in range(int(sys.argv[1])):
    TransitSecretBackendKey(
        stack, f"key-{number}", backend=engine.path, name=f"key-{number}", type="aes256-gcm96", derived=True)
app.synth()
"""

SAMPLE_SECONDS = 0.01
COMPILED = tempfile.TemporaryDirectory(prefix="bench-pyc-")


@dataclass(frozen=True)
class Figure:
    """One measured process with all its children."""

    seconds: float
    megabytes: float


def measured(program: str, *arguments: str) -> Figure:
    """The time and the highest memory of a process and its children together."""
    # As when installed: compiled once. The compiled files of both lie in one place of their own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = COMPILED.name
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", program, arguments[0], folder, *arguments[1:]],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        highest = 0.0
        while process.poll() is None:
            highest = max(highest, memory_of_tree(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"the program ended with {process.returncode}:\n{program}")
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        if not written:
            raise SystemExit("the program wrote nothing")
    return Figure(seconds, highest)


def memory_of_tree(root: int) -> float:
    """Resident megabytes of a process and all below it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue  # it has just ended
    tree, found = {root}, True
    while found:
        below = {pid for pid, parent in parents.items() if parent in tree} - tree
        tree |= below
        found = bool(below)
    return sum(map(_resident, tree)) / 2**20


def _resident(pid: int) -> float:
    try:
        return float(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0.0


def median(program: str, runs: int, *arguments: str) -> Figure:
    figures = [measured(program, *arguments) for _ in range(runs)]
    return Figure(statistics.median(figure.seconds for figure in figures), max(figure.megabytes for figure in figures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=3, help="runs of each; the median time and the highest memory count"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args()
    rows = []
    measured(THEIRS, "1")  # fills its caches, of which it has many
    measured(OURS, "1", "ansible,terraform")
    for keys in (1, 100, 500, 5000):
        ours = median(OURS, options.runs, str(keys), "terraform")
        both = median(OURS, options.runs, str(keys), "ansible,terraform")
        theirs = median(THEIRS, options.runs, str(keys))
        rows.append((keys, ours, both, theirs))
        if not options.json:
            show(keys, ours, both, theirs)
    if options.json:
        print(json.dumps([[keys, *(vars(figure) for figure in figures)] for keys, *figures in rows]))  # noqa: T201
    broken = promises_broken(rows)
    for promise in broken:
        print(f"NOT KEPT: {promise}", file=sys.stderr)  # noqa: T201
    return 1 if broken else 0


def show(keys: int, ours: Figure, both: Figure, theirs: Figure) -> None:
    print(  # noqa: T201
        f"{keys:5d} keys  mlkeys {ours.seconds:6.2f} s {ours.megabytes:5.0f} MB   "
        f"(with Ansible {both.seconds:6.2f} s {both.megabytes:5.0f} MB)   "
        f"cdktn {theirs.seconds:6.2f} s {theirs.megabytes:5.0f} MB   "
        f"{theirs.seconds / ours.seconds:5.1f} times faster, {ours.megabytes / theirs.megabytes:4.0%} of the memory"
    )


def promises_broken(rows: list[tuple[int, Figure, Figure, Figure]]) -> list[str]:
    found = []
    by_keys = {keys: (ours, theirs) for keys, ours, _, theirs in rows}
    for keys in (1, 500):
        ours, theirs = by_keys[keys]
        if theirs.seconds < 8 * ours.seconds:
            found.append(f"8 times faster at {keys} keys")
        if ours.megabytes > theirs.megabytes / 5:
            found.append(f"a fifth of the memory at {keys} keys")
    start = by_keys[1][0].seconds
    if by_keys[5000][0].seconds - start > 1.5 * 10 * (by_keys[500][0].seconds - start):
        found.append("linear from 500 to 5,000 keys")
    return found


if __name__ == "__main__":
    sys.exit(main())
