# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrap many ciphertexts, on one host and on a whole fleet."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks import measure
from tests.benchmarks.collection import KEY, Bench, nothing
from tests.benchmarks.measure import Run
from tests.benchmarks.report import Row

FILES = 1000
PER_FILE = 100
FLEET = 200
LARGE = 1_000_000

_FOUND = re.compile(rb"vault:v\d+:[A-Za-z0-9+/]+=*")


@dataclass(frozen=True)
class Place:
    """A folder of files with ciphertexts."""

    folder: Path
    files: int

    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("*/*.env"))

    def fill(self, ciphertexts: list[str]) -> None:
        for number in range(self.files):
            path = self.folder / f"service-{number % 50:02}" / f"{number:04}.env"
            path.parent.mkdir(parents=True, exist_ok=True)
            own = ciphertexts[number * PER_FILE : (number + 1) * PER_FILE]
            lines = [f"PROVIDER_{place:03}_KEY='{text}'\n" for place, text in enumerate(own)]
            path.write_text("".join(lines), encoding="utf-8")

    def check(self, version: int) -> None:
        """Check that all ciphertexts have this version."""
        for path in self.paths():
            if path.read_bytes().count(b"vault:v%d:" % version) != PER_FILE:
                raise AssertionError(f"{path}: not all ciphertexts are at v{version}")


def rotation_rows(bench: Bench) -> list[Row]:
    """Measure one host with very many ciphertexts, and very many hosts."""
    return [*_rewrap_rows(bench), _fleet_row(bench), _large_row(bench)]


def _rewrap_rows(bench: Bench) -> list[Row]:
    key = f"{KEY}-rewrap"
    bench.raw.create_keys([key])
    ciphertexts = bench.raw.encrypt(key, [f"sk-not-real-{number:032}" for number in range(FILES * PER_FILE)])
    many = Place(bench.folder / "many", FILES)
    few = Place(bench.folder / "few", FILES // 5)
    for place in (many, few):
        place.fill(ciphertexts)
    runs: dict[Place, list[Run]] = {many: [], few: []}
    raw = []
    version = 1
    for _time in range(3):
        for place in (many, few):
            version = _rotate(bench, key)
            runs[place].append(_rewrap(bench, place, key))
            place.check(version)
        version = _rotate(bench, key)
        raw.append(measure.seconds_of(lambda: _rewrap_raw(bench, many, key), times=1))
        many.check(version)
    empty = nothing(bench).seconds
    large, small, limit = measure.median(runs[many]), measure.median(runs[few]), sorted(raw)[len(raw) // 2]
    return [
        Row(
            "100,000 ciphertexts in 1,000 files rewrapped by vault_transit_rewrap",
            f"{large.seconds:.1f} s, {large.requests['transit']} requests",
            f"raw {limit:.1f} s, with reading and safely writing the files, + empty play {empty:.2f} s",
            "at most 2 times raw and play",
            ratio=large.seconds / (limit + empty),
            holds=large.seconds <= 2 * (limit + empty),
        ),
        Row(
            "peak memory of the whole process for 20,000 and for 100,000 ciphertexts rewrapped",
            f"{small.mebibytes:.0f} MiB, {large.mebibytes:.0f} MiB",
            "",
            "flat: at most 1.2 times",
            ratio=large.mebibytes / small.mebibytes,
            holds=large.mebibytes <= 1.2 * small.mebibytes,
        ),
    ]


def _large_row(bench: Bench) -> Row:
    """Measure one file with very many ciphertexts, and one with a tenth of them."""
    key = f"{KEY}-large"
    bench.raw.create_keys([key])
    ciphertexts = bench.raw.encrypt(key, [f"sk-not-real-{number:032}" for number in range(LARGE)])
    few, many = (_rewrapped_file(bench, key, ciphertexts[:count]) for count in (LARGE // 10, LARGE))
    return Row(
        f"peak memory of the whole process for {LARGE // 10:,} and for {LARGE:,} ciphertexts in one file, of 200 MB",
        f"{few.mebibytes:.0f} MiB, {many.mebibytes:.0f} MiB",
        f"{few.seconds:.0f} s, {many.seconds:.0f} s",
        "flat: at most 1.2 times",
        ratio=many.mebibytes / few.mebibytes,
        holds=many.mebibytes <= 1.2 * few.mebibytes,
    )


def _rewrapped_file(bench: Bench, key: str, ciphertexts: list[str]) -> Run:
    """Rewrap one file, and check that all of it has the new version."""
    folder = bench.folder / f"large-{len(ciphertexts)}"
    folder.mkdir()
    path = folder / "large.env"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"PROVIDER_{place:07}_KEY='{text}' # {'x' * 50}\n" for place, text in enumerate(ciphertexts))
    version = _rotate(bench, key)
    run = _rewrap(bench, Place(folder, 1), key)
    with path.open(encoding="utf-8") as file:
        if sum(f"='vault:v{version}:" in line for line in file) != len(ciphertexts):
            raise AssertionError(f"{path}: not all ciphertexts are at v{version}")
    path.unlink()
    return run


def _rotate(bench: Bench, key: str) -> int:
    version: int = bench.raw.call("POST", f"transit/keys/{key}/rotate")["latest_version"]
    return version


def _rewrap(bench: Bench, place: Place, key: str) -> Run:
    tasks = [{"mlkeys.transit.vault_transit_rewrap": {"paths": [str(place.folder)], "key": key}}]
    return bench.run(bench.plain, bench.play(bench.plain, tasks))


def _rewrap_raw(bench: Bench, place: Place, key: str) -> None:
    """Read every file, rewrap its ciphertexts, and replace the file with one that is flushed to disk."""
    contents = {path: path.read_bytes() for path in place.paths()}
    texts = [text.decode() for content in contents.values() for text in _FOUND.findall(content)]
    successors = dict(zip(texts, bench.raw.rewrap(key, texts), strict=True))
    for path, content in contents.items():
        new = _FOUND.sub(lambda found: successors[found.group().decode()].encode(), content)
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def _fleet_row(bench: Bench) -> Row:
    few, many = (_rotated_fleet(bench, hosts) for hosts in (FLEET // 10, FLEET))
    login, requests = many.requests["login"], many.requests["transit"]
    return Row(
        f"mlkeys.transit.rotate over {FLEET} hosts with 20 ciphertexts each, AppRole",
        f"{login} logins, {requests / FLEET:.1f} requests a host, {many.seconds:.0f} s",
        f"{FLEET // 10} hosts: {few.seconds:.1f} s",
        "1 login, at most 6 requests a host, linear: at most 11 times",
        ratio=many.seconds / few.seconds,
        holds=login == 1 and requests <= 6 * FLEET + 20 and many.seconds <= 11 * few.seconds,
    )


def _rotated_fleet(bench: Bench, hosts: int) -> Run:
    """Run a complete rotation, and check that every copy on every host has the new version."""
    key = f"{KEY}-fleet-{hosts}"
    bench.raw.create_keys([key])
    folder = bench.play(bench.shared, [], hosts=hosts)
    ciphertexts = bench.raw.encrypt(key, [f"sk-not-real-{number:032}" for number in range(20)])
    inventory: dict[str, Any] = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))
    inventory["all"]["vars"]["vault_transit_host_paths"] = ["{{ inventory_dir }}/{{ inventory_hostname }}"]
    files = [folder / host / name for host in inventory["all"]["hosts"] for name in (".env", "agent.hcl")]
    for number, path in enumerate(files):
        path.parent.mkdir(exist_ok=True)
        own = ciphertexts[number % 2 :: 2]
        path.write_text("".join(f"KEY_{place}={text}\n" for place, text in enumerate(own)), encoding="utf-8")
    # It holds nothing of its own.
    inventory["all"]["hosts"]["localhost"] = {"vault_transit_host_paths": []}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    given = ["-e", f"vault_transit_rotate_key={key}", "-e", "vault_transit_rotate_older_than=0"]
    run = bench.run(bench.shared, folder, approle=True, playbook="mlkeys.transit.rotate", arguments=given)
    for path in files:
        if path.read_text(encoding="utf-8").count("vault:v2:") != 10:
            raise AssertionError(f"{path}: not all ciphertexts were rewrapped")
    if bench.raw.call("GET", f"transit/keys/{key}")["min_decryption_version"] != 2:
        raise AssertionError("the floor was not raised")
    return run
