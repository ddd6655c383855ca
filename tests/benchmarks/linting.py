# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Compare `mlkeys lint` with other programs that find secrets: what they find, what they mistake, and how fast."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlkeys._providers.key_patterns import PROVIDER, Form, built_in
from tests.benchmarks.report import Row
from tests.cdk import keys

#: Fake secrets of each rule of the table.
EACH = 20
#: They fail when they find something.
FOUND = {0, 1, 200, 205}


@dataclass(frozen=True)
class Scanners:
    """The other programs, in a virtual environment of theirs."""

    venv: Path

    def versions(self) -> dict[str, str]:
        names = ("detect-secrets", "kingfisher-bin")
        (site,) = self.venv.glob("lib/python*/site-packages")
        found = {}
        for name in names:
            (folder,) = site.glob(f"{name.replace('-', '_')}-*.dist-info")
            found[name.removesuffix("-bin")] = folder.name.split("-")[1].removesuffix(".dist")
        return found

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.venv / "bin" / name), *arguments]

    def detect_secrets(self, folder: Path) -> list[str]:
        return self.command("detect-secrets", "-C", str(folder), "scan", "--all-files", "--no-verify", ".")

    def kingfisher(self, folder: Path) -> list[str]:
        quiet = ("--no-validate", "--no-update-check", "--git-history", "none", "--format", "jsonl")
        return self.command("kingfisher", "scan", *quiet, str(folder))


def ours(folder: Path) -> list[str]:
    return [sys.executable, "-m", "mlkeys", "lint", "--format", "json", str(folder)]


def linting_rows(scanners: Scanners, corpus: Path) -> list[Row]:
    commands = {"mlkeys": ours, "detect-secrets": scanners.detect_secrets, "kingfisher": scanners.kingfisher}
    rows = [_recall(commands, PROVIDER, "keys of ML providers"), _recall(commands, "", "secrets of all kinds")]
    return [*rows, *_over_corpus(commands, corpus)]


Commands = Mapping[str, Callable[[Path], list[str]]]


def _recall(commands: Commands, kind: str, name: str) -> Row:
    """How many fakes of each rule are found. A file holds one, so that a finding is of this one."""
    forms = [form for form in built_in().forms if form.regex and (not kind or form.kind == kind)]
    with tempfile.TemporaryDirectory(prefix="bench-lint-") as folder:
        for number, form in enumerate(forms):
            for turn in range(EACH):
                Path(folder, f"{number:03}-{turn:02}.txt").write_text(_fake(form) + "\n", encoding="utf-8")
        found = {program: len(_run(command(Path(folder))).places) for program, command in commands.items()}
    total = len(forms) * EACH
    shares = {program: f"{program} {count * 100 / total:.0f} %" for program, count in found.items()}
    return Row(
        f"fake {name} that are found",
        f"{shares.pop('mlkeys').removeprefix('mlkeys ')} of {total:,}, of {len(forms)} forms",
        ", ".join(shares.values()),
        "all",
        holds=found["mlkeys"] == total,
    )


def _fake(form: Form) -> str:
    text = keys.of_form(form)
    return text if form.near else f"value = {text}"


@dataclass(frozen=True)
class Scan:
    """How long a program took, and the file and line of each finding."""

    seconds: float
    places: frozenset[tuple[str, int]]


def _run(command: list[str]) -> Scan:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode not in FOUND:
        raise SystemExit(f"{command[0]} ended with {done.returncode}")
    return Scan(seconds, frozenset(_places(done.stdout)))


def _places(output: str) -> Iterator[tuple[str, int]]:
    """The findings, however a program writes them."""
    if not output.startswith("{\n"):
        # kingfisher: a line for each, and one about the run.
        for line in filter(lambda one: one.startswith("{"), output.splitlines()):
            if found := json.loads(line).get("finding"):
                yield found["path"], int(found["line"])
        return
    report = json.loads(output)
    for path, listed in report.get("results", {}).items():
        yield from ((path, one["line_number"]) for one in listed)
    for one in report.get("findings", ()):
        # The permissions of a file are not a secret in it.
        if one["rule"].startswith("MLK10"):
            yield one["path"], one["line"]


def _over_corpus(commands: Commands, corpus: Path) -> list[Row]:
    """False alarms, and the time that it takes. The slowest program runs once."""
    sizes = [path.stat().st_size for path in corpus.rglob("*") if path.is_file()]
    scans = {
        program: _median([_run(command(corpus)) for _time in range(1 if program == "detect-secrets" else 3)])
        for program, command in commands.items()
    }
    own = scans.pop("mlkeys")
    fastest = min(scan.seconds for scan in scans.values())
    return [
        Row(
            f"false alarms in {len(sizes):,} files of packages about language models",
            f"{len(own.places):,}",
            ", ".join(f"{program} {len(scan.places):,}" for program, scan in scans.items()),
            "at most 2",
            holds=len(own.places) <= 2,
        ),
        Row(
            f"search of these files, {sum(sizes) / 2**20:.0f} MiB",
            f"{own.seconds:.2f} s",
            ", ".join(f"{program} {scan.seconds:.2f} s" for program, scan in scans.items()),
            "faster than both",
            ratio=fastest / own.seconds,
            holds=own.seconds < fastest,
        ),
    ]


def _median(scans: list[Scan]) -> Scan:
    return sorted(scans, key=lambda scan: scan.seconds)[len(scans) // 2]
