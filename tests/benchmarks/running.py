# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how long a program waits for its secrets: `mlkeys run` beside `sops exec-env`, and `mlkeys.runtime`."""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyrage
import yaml

from tests.benchmarks.collection import Bench, made_secrets
from tests.benchmarks.report import Row

TIMES = 15
SIZES = (1, 200)
KEY = "running"

# Prints the seconds until the first secret is there, without the start of Python, and those of the next use.
_USE = """
import time
begin = time.perf_counter()
from mlkeys.runtime import secrets
secrets("keys.transit.json")["provider_00000_key"]
first = time.perf_counter()
for _time in range(1000):
    secrets("keys.transit.json")["provider_00000_key"]
print(first - begin, (time.perf_counter() - first) / 1000)
"""
# The same for an import of hvac alone.
_HVAC = "import time; begin = time.perf_counter(); import hvac; print(time.perf_counter() - begin)"
# The import of the runtime where hvac is imported already.
_BEYOND = "import hvac, time; begin = time.perf_counter(); import mlkeys.runtime; print(time.perf_counter() - begin)"


def running_rows(bench: Bench) -> list[Row]:
    bench.bao.done("POST", f"transit/keys/{KEY}", {"derived": True})
    bench.bao.done("POST", "transit/keys/sops", {})
    places = {size: _Place(bench, size) for size in SIZES}
    ours = {size: place.milliseconds(["mlkeys", "run", "--", "true"]) for size, place in places.items()}
    transit = {size: place.milliseconds(["sops", "exec-env", "transit.json", "true"]) for size, place in places.items()}
    age = {size: place.milliseconds(["sops", "exec-env", "age.json", "true"]) for size, place in places.items()}
    more = ours[200] - ours[1]
    one = places[1]
    cold, warm = one.medians(_USE)
    return [
        Row(
            "mlkeys run with a token, 1 secret, until the program has ended",
            f"{ours[1]:.0f} ms",
            f"sops exec-env: {transit[1]:.0f} ms over Transit, {age[1]:.0f} ms over age",
            "at most 150 ms",
            holds=ours[1] <= 150,
            ratio=ours[1] / transit[1],
        ),
        Row(
            "the same with 200 secrets",
            f"{ours[200]:.0f} ms",
            f"sops exec-env: {transit[200]:.0f} ms over Transit, {age[200]:.0f} ms over age",
            "at most 30 ms more",
            holds=more <= 30,
            ratio=ours[200] / transit[200],
        ),
        Row(
            "the first secret of mlkeys.runtime, from its import on",
            f"{cold * 1000:.0f} ms",
            f"import hvac: {one.medians(_HVAC)[0] * 1000:.0f} ms",
            "",
            holds=True,
        ),
        Row("each further use of secrets()", f"{warm * 1e6:.0f} µs", "", "at most 100 µs", holds=warm <= 1e-4),
        _import_row(one),
    ]


def _import_row(place: _Place) -> Row:
    beyond = place.medians(_BEYOND)[0] * 1000
    return Row(
        "import of mlkeys.runtime, beyond that of hvac", f"{beyond:.0f} ms", "", "less than 60 ms", holds=beyond < 60
    )


def _encrypted(bench: Bench, values: Mapping[str, str]) -> str:
    """An encrypted vars file, as JSON."""
    items = [{"plaintext": _base64(value), "context": _base64(name)} for name, value in values.items()]
    answer = bench.bao.done("POST", f"transit/encrypt/{KEY}", {"batch_input": items})
    found = dict(zip(values, (one["ciphertext"] for one in answer["data"]["batch_results"]), strict=True))
    return json.dumps({**found, "_transit": {"format": 1, "backend": "transit", "key": KEY}})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class _Place:
    """A folder with the same secrets in an encrypted vars file, and in files that sops has encrypted."""

    def __init__(self, bench: Bench, size: int) -> None:
        self.folder = bench.folder / f"running-{size}"
        self.folder.mkdir()
        values = made_secrets(size)
        identity = pyrage.x25519.Identity.generate()
        (self.folder / "age.txt").write_text(str(identity), encoding="ascii")
        self.environment = {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "BAO_ADDR": bench.bao.addr,
            "BAO_TOKEN": bench.bao.token,
            "VAULT_ADDR": bench.bao.addr,
            "VAULT_TOKEN": bench.bao.token,
            "SOPS_AGE_KEY_FILE": "age.txt",
        }
        text = _encrypted(bench, values)
        (self.folder / "keys.transit.json").write_text(text, encoding="utf-8")
        self._as_written(text)
        (self.folder / "plain.json").write_text(json.dumps(values), encoding="utf-8")
        for name, recipient in (
            ("transit.json", ["--hc-vault-transit", f"{bench.bao.addr}/v1/transit/keys/sops"]),
            ("age.json", ["--age", str(identity.to_public())]),
        ):
            self._run(["sops", "encrypt", *recipient, "--output", name, "plain.json"])
        (self.folder / "plain.json").unlink()

    def _as_written(self, text: str) -> None:
        """For `mlkeys run` a file in YAML, as mlkeys writes it."""
        place = self.folder / "yaml"
        place.mkdir()
        (place / "keys.transit.yml").write_text(yaml.safe_dump(json.loads(text), sort_keys=False, width=10_000))

    def _run(self, command: Sequence[str], folder: str = ".") -> str:
        return subprocess.run(
            command, cwd=self.folder / folder, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def milliseconds(self, command: Sequence[str]) -> float:
        """The median of several runs, after one that warms caches."""
        folder = "yaml" if command[0] == "mlkeys" else "."
        taken = []
        for _time in range(TIMES + 1):
            begin = time.perf_counter()
            self._run(command, folder)
            taken.append(time.perf_counter() - begin)
        return statistics.median(taken[1:]) * 1000

    def medians(self, code: str) -> list[float]:
        """The medians of the numbers that a Python program prints."""
        runs = [[float(word) for word in self._run([sys.executable, "-c", code]).split()] for _time in range(TIMES)]
        return [statistics.median(numbers) for numbers in zip(*runs, strict=True)]
