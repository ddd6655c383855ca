# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure vars files: writing them, finding nothing to do, and the inventory of a large fleet."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.benchmarks import measure
from tests.benchmarks.collection import KEY, Bench, made_secrets
from tests.benchmarks.measure import Run
from tests.benchmarks.report import Row

SIZES = (100, 1_000, 10_000)
HOSTS, FILES = 1_000, 50
# The server takes so many texts in a request that it needs these for 500 secrets.
REQUESTS = 3


def vars_file_rows(bench: Bench) -> list[Row]:
    plain, written, unchanged, rotated = zip(*(_runs(bench, size) for size in SIZES), strict=True)
    more = rotated[-1].mebibytes - plain[-1].mebibytes
    return [
        _row("written", written, plain, 3.0),
        _row("unchanged", unchanged, plain, 2.0),
        _row("rewrapped after a rotation", rotated, plain, 3.0),
        Row(
            "memory of vault_transit_vars for 10,000 secrets, without that of the play",
            f"{more:.0f} MiB",
            f"the play: {plain[-1].mebibytes:.0f} MiB",
            "less than 100 MB",
            holds=more < 95,
        ),
        *_inventory_rows(bench),
    ]


def _runs(bench: Bench, size: int) -> tuple[Run, Run, Run, Run]:
    """A play that only evaluates so many secrets; then a file of them is written, left as it is, and rewrapped."""
    secrets = {"wanted": made_secrets(size)}
    only = bench.play(bench.plain, [{"ansible.builtin.assert": {"that": [f"wanted | length == {size}"]}}])
    options = {"path": "{{ playbook_dir }}/keys.transit.yml", "key": KEY, "secrets": "{{ wanted }}"}
    folder = bench.play(bench.plain, [{"mlkeys.transit.vault_transit_vars": options}])
    for place in (only, folder):
        (place / "vars.json").write_text(json.dumps(secrets), encoding="utf-8")
    plain = measure.repeated(3, lambda: bench.run(bench.plain, only))
    written = bench.run(bench.plain, folder)
    unchanged = measure.repeated(3, lambda: bench.run(bench.plain, folder))
    bench.bao.done("POST", f"transit/keys/{KEY}/rotate", {})
    return plain, written, unchanged, bench.run(bench.plain, folder)


def _row(what: str, runs: tuple[Run, ...], plain: tuple[Run, ...], limit: float) -> Row:
    seconds = [max(run.seconds - play.seconds, 0.001) for run, play in zip(runs, plain, strict=True)]
    # Ten times the secrets may cost ten times the time, and what a run costs anyway.
    is_linear = seconds[2] <= 11 * max(seconds[1], 0.1)
    return Row(
        f"{' / '.join(f'{size:,}' for size in SIZES)} secrets in a vars file, {what}, without the play itself",
        " / ".join(f"{one:.2f} s" for one in seconds),
        f"play that only loads them: {plain[-1].seconds:.2f} s",
        f"10,000 within {limit:.0f} s, and linear",
        holds=seconds[2] <= limit and is_linear,
    )


def _inventory_rows(bench: Bench) -> list[Row]:
    folder = bench.play(bench.vars, [])
    names = [f"host{number:04}" for number in range(HOSTS)]
    groups = {f"group{number}": {"hosts": dict.fromkeys(names[number::FILES])} for number in range(FILES)}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": groups}}), encoding="utf-8")
    ciphertexts = _ciphertexts(bench, made_secrets(10))
    for name in groups:
        (folder / "group_vars" / name).mkdir(parents=True)
        # Files of the same content would be decrypted once for all.
        document = {f"{name}_{secret}": text for secret, text in ciphertexts.items()}
        text = yaml.safe_dump({**document, "_transit": {"format": 1, "backend": "transit", "key": KEY}})
        (folder / "group_vars" / name / "keys.transit.yml").write_text(text, encoding="utf-8")
    plain = f"{bench.ours.settings}vars_plugins_enabled = host_group_vars\n"
    # In turn, since a machine gets slower and faster.
    pairs = [(_cpu_seconds(folder, bench.vars.settings), _cpu_seconds(folder, plain)) for _time in range(7)]
    with_plugin, without = (min(one) for one in zip(*pairs, strict=True))
    decrypting, requests = _decrypting(bench, folder)
    return [
        Row(
            f"ansible-inventory --list, {HOSTS:,} hosts and {FILES} vars files: CPU time of the vars plugin",
            f"{with_plugin - without:.2f} s",
            f"without it: {without:.2f} s",
            "at most 0.3 s",
            holds=with_plugin - without <= 0.3,
        ),
        Row(
            f"the same, decrypting all {FILES * len(ciphertexts)} secrets for {HOSTS:,} hosts",
            f"{decrypting - without:.2f} s, {requests} requests",
            f"without it: {without:.2f} s",
            f"at most 1.5 s, and {REQUESTS} requests",
            holds=decrypting - without <= 1.5 and requests <= REQUESTS,
        ),
    ]


def _ciphertexts(bench: Bench, secrets: Mapping[str, str]) -> dict[str, str]:
    items = [{"plaintext": base64.b64encode(value.encode()).decode()} for value in secrets.values()]
    answer = bench.bao.done("POST", f"transit/encrypt/{KEY}", {"batch_input": items})
    return {name: one["ciphertext"] for name, one in zip(secrets, answer["data"]["batch_results"], strict=True)}


def _decrypting(bench: Bench, folder: Path) -> tuple[float, int]:
    """The CPU time of a listing with plaintext, and its requests to decrypt."""
    login = {"BAO_ADDR": bench.bao.addr, "BAO_TOKEN": bench.bao.token, "MLKEYS_TRANSIT_VARS_DECRYPT": "always"}
    times, requests = [], 0
    for _time in range(3):
        begin = bench.bao.audit_log.stat().st_size
        times.append(_cpu_seconds(folder, bench.vars.settings, login))
        with bench.bao.audit_log.open("rb") as log:
            log.seek(begin)
            entries = [json.loads(line) for line in log]
        asked = [one for one in entries if one["type"] == "request" and "/decrypt/" in one["request"]["path"]]
        requests = max(requests, len(asked))
    return min(times), requests


def _cpu_seconds(folder: Path, settings: str, more: Mapping[str, str] | None = None) -> float:
    (folder / "ansible.cfg").write_text(settings, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", "inventory.yml", "--list"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "HOME": str(folder), **(more or {})}
    return measure.cpu_seconds(command, environment=environment, folder=folder)
