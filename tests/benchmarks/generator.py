# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Compare the generator with cdktn: whole processes, from the start of Python to the last written byte, with Node."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.report import Row

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
    """A measured process with all its children."""

    seconds: float
    megabytes: float


def measured(program: str, *arguments: str) -> Figure:
    """Return the time and the peak memory of a process and its children together."""
    # Compile once, like an installation does. Both sides keep their compiled files in a separate folder.
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
    """Return the resident megabytes of a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue  # the process has just ended
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
    figures = [measured(program, *arguments) for _run in range(runs)]
    return Figure(statistics.median(figure.seconds for figure in figures), max(figure.megabytes for figure in figures))


def generator_rows(runs: int = 3) -> list[Row]:
    """Generate the same stack with both, as Terraform JSON, which is what cdktn writes."""
    measured(THEIRS, "1")  # fill its many caches
    measured(OURS, "1", "terraform")
    ours = {keys: median(OURS, runs, str(keys), "terraform") for keys in (1, 100, 500, 5000)}
    theirs = {keys: median(THEIRS, runs, str(keys)) for keys in ours}
    rows = [_row(keys, ours[keys], theirs[keys]) for keys in ours]
    growth = (ours[5000].seconds - ours[1].seconds) / (ours[500].seconds - ours[1].seconds)
    return [
        *rows,
        Row(
            "the same, 5,000 keys compared with 500 keys",
            f"{growth:.1f} times",
            "10 times the keys",
            "linear: at most 15 times",
            ratio=growth,
            holds=growth <= 15,
        ),
    ]


def _row(keys: int, ours: Figure, theirs: Figure) -> Row:
    faster, share = theirs.seconds / ours.seconds, ours.megabytes / theirs.megabytes
    required = keys in (1, 500)
    return Row(
        f"generate {keys:,} key{'' if keys == 1 else 's'}",
        f"{ours.seconds:.2f} s, {ours.megabytes:.0f} MB",
        f"cdktn {theirs.seconds:.2f} s, {theirs.megabytes:.0f} MB",
        "8 times faster, a fifth of the memory" if required else "",
        ratio=faster,
        holds=not required or (faster >= 8 and share <= 0.2),
    )
