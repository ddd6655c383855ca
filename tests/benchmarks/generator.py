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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.report import Row

HEAD = """
import os
from mlkeys import App, Construct, HostConfig, Inventory, Secret, Stack
from mlkeys import transit as vault
N = int(os.environ["N"])
app = App()
s = Stack(app, "bench")
key = vault.TransitSecretBackendKey
"""

#: Programs, each of a size N that the environment sets.
PROGRAMS = {
    "keys": """
engine = vault.TransitSecretBackend(s, "engine", path="transit", description="Benchmark")
for number in range(N):
    key(s, f"key-{number}", backend=engine.path, name=f"key-{number}", type="aes256-gcm96", derived=True)
""",
    "engines in a stack": """
for number in range(N):
    vault.TransitSecretBackend(s, f"e{number}", path=f"e{number}")
""",
    "templates": """
web = Inventory(s, "i").group("web", ["h"])
for number in range(N):
    HostConfig(s, f"c{number}", hosts=web, template="a.j2", dest=f"/etc/{number}")
""",
    "grants on a role": """
role, one = vault.AppRole(s, "role"), key(s, "k", backend="transit", name="k", derived=True)
for number in range(N):
    one.grant_decrypt(role, secrets=[f"s{number}"])
""",
    "decrypts of a ciphertext": """
one = key(s, "k", backend="transit", name="k")
ciphertext = one.encrypt(Secret.env("A"))
for number in range(N):
    one.decrypt(ciphertext)
""",
    "keys in a scope that waits for as many": """
first, second = Construct(s, "first"), Construct(s, "second")
for number in range(N):
    key(first, f"a{number}", backend="transit", name=f"a{number}")
    key(second, f"b{number}", backend="transit", name=f"b{number}")
second.node.add_dependency(first)
""",
    "stacks with a hundred keys each": """
for stack in [Stack(app, f"s{number}") for number in range(N)]:
    for number in range(100):
        key(stack, f"k{number}", backend=f"of-{stack.node.id}", name=f"k{number}")
""",
}
#: The larger of the two sizes that are compared, and the command.
GROWTH = {
    "keys": (5000, "synth"),
    "engines in a stack": (2000, "synth"),
    "templates": (2000, "synth"),
    "grants on a role": (8000, "synth"),
    "decrypts of a ciphertext": (8000, "synth"),
    "keys in a scope that waits for as many": (1600, "synth"),
    "stacks with a hundred keys each": (40, "list"),
}

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


def measured(command: Sequence[str], folder: Path, **variables: str) -> Figure:
    """The time and the highest memory of a process and its children together."""
    # As when installed: compiled once. The compiled files of both lie in one place of their own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": COMPILED.name, **variables}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    highest = 0.0
    while process.poll() is None:
        highest = max(highest, memory_of_tree(process.pid))
        time.sleep(SAMPLE_SECONDS)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Figure(seconds, highest)


def ours(program: str, size: int, command: str = "synth") -> Figure:
    """The command as users run it, on a program of a size."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(HEAD + PROGRAMS[program], encoding="utf-8")
        Path(folder, "a.j2").write_text("{{ a }}", encoding="utf-8")
        figure = measured([sys.executable, "-m", "mlkeys", command, "app.py"], Path(folder), N=str(size))
        if command == "synth" and not Path(folder, "mlkeys.out", "manifest.json").is_file():
            raise SystemExit("the program wrote nothing")
    return figure


def theirs(size: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        figure = measured([sys.executable, "-c", THEIRS, str(size), "out"], Path(folder))
        if not any(Path(folder, "out").rglob("*.json")):
            raise SystemExit("the program wrote nothing")
    return figure


def start(*arguments: str) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        return measured([sys.executable, *arguments], Path(folder))


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


def median(measure: Callable[[], Figure], runs: int) -> Figure:
    figures = [measure() for _run in range(runs)]
    return Figure(statistics.median(figure.seconds for figure in figures), max(figure.megabytes for figure in figures))


def fastest(measure: Callable[[], Figure], runs: int) -> Figure:
    figures = [measure() for _run in range(runs)]
    return Figure(min(figure.seconds for figure in figures), max(figure.megabytes for figure in figures))


def generator_rows(runs: int = 3) -> list[Row]:
    """The command with its default targets, beside cdktn, which writes Terraform JSON alone."""
    theirs(1)  # fills its caches, of which it has many
    ours("keys", 1)
    rows = [
        _row(size, median(partial(ours, "keys", size), runs), median(partial(theirs, size), runs))
        for size in (1, 100, 500, 5000)
    ]
    return [*rows, *(_growth(program, *GROWTH[program], runs) for program in GROWTH), *_starts(runs)]


def _row(keys: int, here: Figure, there: Figure) -> Row:
    faster, share = there.seconds / here.seconds, here.megabytes / there.megabytes
    required = keys in (500, 5000)
    return Row(
        f"mlkeys synth with {keys:,} key{'' if keys == 1 else 's'}, both targets",
        f"{here.seconds:.2f} s, {here.megabytes:.0f} MB",
        f"cdktn {there.seconds:.2f} s, {there.megabytes:.0f} MB",
        "8 times faster, a fifth of the memory" if required else "",
        ratio=faster,
        holds=not required or (faster >= 8 and share <= 0.2),
    )


def _growth(program: str, size: int, command: str, runs: int) -> Row:
    """What four times the size costs, less what every run costs.

    Of each, the fastest run counts: other processes can only make it slower, and some differences are small.
    """
    base, small, large = (fastest(partial(ours, program, one, command), runs + 2) for one in (1, size // 4, size))
    growth = (large.seconds - base.seconds) / (small.seconds - base.seconds)
    return Row(
        f"mlkeys {command} with {size:,} {program}",
        f"{large.seconds:.2f} s, {large.megabytes:.0f} MB",
        f"{size // 4:,}: {small.seconds:.2f} s, {small.megabytes:.0f} MB",
        "four times the size: at most 6 times the time",
        ratio=growth,
        holds=growth <= 6,
    )


def _starts(runs: int) -> list[Row]:
    bare = median(partial(start, "-c", "import click"), runs)
    measures = {
        "mlkeys --help": partial(start, "-m", "mlkeys", "--help"),
        "mlkeys synth with one key": partial(ours, "keys", 1),
    }
    found = {name: median(measure, runs) for name, measure in measures.items()}
    return [
        Row(
            name,
            f"{figure.seconds:.2f} s",
            f"Python that imports click {bare.seconds:.2f} s",
            "at most 3 times",
            ratio=figure.seconds / bare.seconds,
            holds=figure.seconds <= 3 * bare.seconds,
        )
        for name, figure in found.items()
    ]
