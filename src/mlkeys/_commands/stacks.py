# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a playbook for one stack after the other, and shows the progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from mlkeys._commands.errors import show_json
from mlkeys._commands.playbook import Change, Run
from mlkeys._commands.progress import terminal
from mlkeys._shared.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def run_each(
    names: Sequence[str],
    run: Callable[[str, TextIO | None], Run],
    *,
    kind: str,
    as_json: bool,
    verbose: bool,
    go_on: bool = False,
) -> dict[str, Run]:
    """Run a playbook for each name, and stop at a failure unless `go_on` is set.

    Args:
        run: gets a name, and where to show Ansible's output. None where that is not shown: then the failures are
            shown, and on a terminal what runs.
        kind: what the names stand for.
        verbose: whether to show Ansible's output.
    """
    console = terminal()
    done: dict[str, Run] = {}
    for number, name in enumerate(names, 1):
        console.print(f"[{number}/{len(names)}] {kind} {name}", style="bold")
        done[name] = run(name, output_of_ansible(as_json=as_json) if verbose else None)
        if done[name].status and not verbose:
            show_failures(done[name])
        if done[name].status and not go_on:
            break
    return done


def output_of_ansible(*, as_json: bool) -> TextIO:
    """Where Ansible's output is shown: JSON has standard output for itself."""
    return sys.stderr if as_json else sys.stdout


def show_failures(run: Run) -> None:
    """Show the messages of tasks that failed. Where Ansible itself failed, show what it printed."""
    for failure in run.failures:
        click.secho(f"Failed on {failure.host}: {failure.task}", fg="red", err=True)
        message = failure.message or ("" if failure.output else "The task hides its result (no_log).")
        for line in f"{message}\n{failure.output}".strip().splitlines():
            click.echo(f"  {line}", err=True)
    if not run.failures:
        click.echo(printable(run.output), nl=False, err=True)


def show_done(names: Sequence[str], done: Mapping[str, Run], kind: str) -> None:
    """Show what was changed, and the counts of each, on standard error."""
    console = terminal()
    for name, one in done.items():
        _show_changes(name if len(names) > 1 else "", one.changes, console)
    _show(names, done, kind, console)


def show_report(
    names: Sequence[str],
    done: Mapping[str, Run],
    kind: str,
    details: Callable[[str, Run], Mapping[str, object]] | None = None,
) -> None:
    """Write the result of each as JSON.

    Args:
        details: what else is reported of a name and its run.
    """
    rows = report(names, done)
    if details is not None:
        rows = [{**row, **details(name, done[name])} for name, row in zip(names, rows, strict=True) if name in done]
    show_json({f"{kind}s": rows})


#: How a kind of a change is marked and coloured.
_MARKS = {"created": ("+", "green"), "changed": ("~", "yellow"), "deleted": ("-", "red"), "done": ("*", "yellow")}


def _show_changes(title: str, changes: Sequence[Change], console: Console) -> None:
    """Show a row for each thing that was changed, with the hosts and with what differs."""
    from rich.table import Table
    from rich.text import Text

    # A task may change several things of one host, such as its services.
    hosts: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for change in changes:
        hosts.setdefault((change.kind, change.task, tuple(change.names)), {})[change.host] = None
    if not hosts:
        return
    if title:
        console.print(Text(title, style="table.title"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(overflow="fold")
    for (kind, task, names), found in hosts.items():
        where = list(found)
        mark, style = _MARKS.get(kind, _MARKS["done"])
        on = "" if where == ["localhost"] else where[0] if len(where) == 1 else f"{len(where)} hosts"
        table.add_row(mark, task, f"{kind}: {', '.join(names)}" if names else kind, on, style=style)
    console.print(table)


def report(names: Sequence[str], done: Mapping[str, Run]) -> list[dict[str, object]]:
    """The result of each, for JSON."""
    return [
        {
            "name": name,
            "state": _state(name, done),
            "ok": run.ok,
            "changed": run.changed,
            "failed": run.failed,
            "unreachable": run.unreachable,
            "seconds": round(run.seconds, 1),
            "changes": [
                {"task": one.task, "host": one.host, "kind": one.kind, "names": one.names} for one in run.changes
            ],
        }
        for name, run in ((name, done.get(name, Run())) for name in names)
    ]


def not_done(names: Sequence[str], done: Mapping[str, Run]) -> dict[str, str]:
    """The states of those that were not done: `failed`, `not run`."""
    return {name: state for name in names if (state := _state(name, done)) != "done"}


def _state(name: str, done: Mapping[str, Run]) -> str:
    if name not in done:
        return "not run"
    return "failed" if done[name].status else "done"


def _show(names: Sequence[str], done: Mapping[str, Run], kind: str, console: Console) -> None:
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
