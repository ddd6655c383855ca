# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a program in which nothing has changed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.benchmarks import measure
from tests.benchmarks.collection import Bench
from tests.benchmarks.report import Row

KEYS = 60
MOST_SECONDS = 3

PROGRAM = f"""
from mlkeys import App, Secret, Stack
from mlkeys import transit as vault
app = App(targets=["ansible"])
with Stack(app, "s"):
    engine = vault.TransitSecretBackend("engine", path="deployed")
    for number in range({KEYS}):
        key = vault.TransitSecretBackendKey(f"k{{number}}", backend=engine.path, name=f"k{{number}}", derived=True)
        key.encrypt(Secret.env(f"KEY_{{number}}"))
"""
EMPTY = "- hosts: localhost\n  gather_facts: false\n"


def deployment_rows(bench: Bench) -> list[Row]:
    """The command on a program of many keys with a secret each, beside a play without tasks in the same project."""
    folder = bench.folder / "deployment"
    folder.mkdir()
    (folder / "app.py").write_text(PROGRAM, encoding="utf-8")
    environment = {
        **{f"KEY_{number}": f"sk-not-real-{number:032}" for number in range(KEYS)},
        "HOME": str(bench.folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(bench.collections),
        "BAO_ADDR": bench.bao.addr,
        "BAO_TOKEN": bench.bao.token,
    }

    def run(*command: str, where: Path = folder) -> measure.Run:
        program = [str(Path(sys.executable).parent / command[0]), *command[1:]]
        return measure.process(program, environment=environment, folder=where, bao=bench.bao)

    run("mlkeys", "deploy")
    project = folder / "mlkeys.out" / "ansible" / "s"
    (project / "empty.yml").write_text(EMPTY, encoding="utf-8")
    deployed = measure.median([run("mlkeys", "deploy") for _time in range(3)])
    empty = measure.median([run("ansible-playbook", "empty.yml", where=project) for _time in range(3)])
    above = deployed.seconds - empty.seconds
    return [
        Row(
            f"mlkeys deploy with {KEYS} keys and a secret each, without a change",
            f"{deployed.seconds:.2f} s, {above:.2f} s above an empty play",
            f"empty play {empty.seconds:.2f} s",
            f"less than {MOST_SECONDS} s above it",
            holds=above < MOST_SECONDS,
        )
    ]
