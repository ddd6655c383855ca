# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a playbook for one stack after the other, and tells how far it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from mlkeys._commands.playbook import Run, ansible_playbook
from mlkeys._model.stack import Stack

if TYPE_CHECKING:
    from rich.console import Console


def terminal() -> Console:
    """Where people are told how far it is: beside what a command gives, with colours only on a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def run_stacks(
    stacks: Sequence[Stack],
    folder: Path,
    playbook: str,
    arguments: Sequence[str] = (),
    *,
    as_json: bool,
    go_on: bool = False,
) -> dict[str, Run]:
    """Run the playbook of each stack, until one fails if not told to go on; a report of all at the end."""

    def run(name: str, show: TextIO) -> Run:
        return ansible_playbook(folder / "ansible" / name, playbook, arguments, show=show)

    return run_each([stack.node.id for stack in stacks], run, kind="stack", as_json=as_json, go_on=go_on)


def run_each(
    names: Sequence[str], run: Callable[[str, TextIO], Run], *, kind: str, as_json: bool, go_on: bool = False
) -> dict[str, Run]:
    """Run a playbook for each of these, until one fails if not told to go on; a report of all at the end.

    What Ansible prints is shown on the standard output, unless that is for the report.

    Args:
        kind: what they are.
    """
    console = terminal()
    done: dict[str, Run] = {}
    for number, name in enumerate(names, 1):
        console.print(f"[{number}/{len(names)}] {kind} {name}", style="bold")
        done[name] = run(name, sys.stderr if as_json else sys.stdout)
        if done[name].status and not go_on:
            break
    if as_json:
        click.echo(json.dumps({f"{kind}s": report(names, done)}))
    else:
        _tell(names, done, kind, console)
    return done


def report(names: Sequence[str], done: Mapping[str, Run]) -> list[dict[str, object]]:
    """What became of each, for a machine to read."""
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
        for name, run in ((name, done.get(name, Run())) for name in names)
    ]


def _state(name: str, done: Mapping[str, Run]) -> str:
    if name not in done:
        return "not run"
    return "failed" if done[name].status else "done"


def _tell(names: Sequence[str], done: Mapping[str, Run], kind: str, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(kind)
    for column in ("changed", "ok", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("")
    for name in names:
        state = _state(name, done)
        run = done.get(name)
        counts = (f"{run.changed}", f"{run.ok}", f"{run.seconds:.1f}") if run is not None else ("", "", "")
        style = {"failed": "red", "not run": "dim"}.get(state, "yellow" if run is not None and run.changed else "green")
        table.add_row(name, *counts, "" if state == "done" else state, style=style)
    console.print(table)
