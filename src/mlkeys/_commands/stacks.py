# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a playbook for one stack after the other, and tells how far it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlkeys._app import Stack
from mlkeys._commands.playbook import Run, ansible_playbook

if TYPE_CHECKING:
    from rich.console import Console


def terminal() -> Console:
    """Where people are told how far it is: beside what a command gives, with colours only on a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def run_stacks(
    stacks: Sequence[Stack], folder: Path, playbook: str, arguments: Sequence[str] = (), *, as_json: bool
) -> dict[str, Run]:
    """Run the playbook of each stack, until one fails; a report of all at the end.

    What Ansible prints is shown on the standard output, unless that is for the report.
    """
    console = terminal()
    done: dict[str, Run] = {}
    for number, stack in enumerate(stacks, 1):
        name = stack.node.id
        console.print(f"[{number}/{len(stacks)}] stack {name}", style="bold")
        show = sys.stderr if as_json else sys.stdout
        done[name] = ansible_playbook(folder / "ansible" / name, playbook, arguments, show=show)
        if done[name].status:
            break
    if as_json:
        click.echo(json.dumps({"stacks": report(stacks, done)}))
    else:
        _tell(stacks, done, console)
    return done


def report(stacks: Sequence[Stack], done: Mapping[str, Run]) -> list[dict[str, object]]:
    """What became of each stack, for a machine to read."""
    return [
        {
            "name": name,
            "state": _state(name, done),
            "ok": run.ok,
            "changed": run.changed,
            "failed": run.failed,
            "unreachable": run.unreachable,
            "seconds": round(run.seconds, 1),
        }
        for name, run in ((stack.node.id, done.get(stack.node.id, Run())) for stack in stacks)
    ]


def _state(name: str, done: Mapping[str, Run]) -> str:
    if name not in done:
        return "not run"
    return "failed" if done[name].status else "done"


def _tell(stacks: Sequence[Stack], done: Mapping[str, Run], console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("stack")
    for name in ("changed", "ok", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("")
    for stack in stacks:
        state = _state(stack.node.id, done)
        run = done.get(stack.node.id)
        counts = (f"{run.changed}", f"{run.ok}", f"{run.seconds:.1f}") if run is not None else ("", "", "")
        style = {"failed": "red", "not run": "dim"}.get(state, "yellow" if run is not None and run.changed else "green")
        table.add_row(stack.node.id, *counts, "" if state == "done" else state, style=style)
    console.print(table)
