# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Shows a plan, or what became of it, as a table with a last line of counts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from mlkeys._commands.deployment.comparison import Comparison
from mlkeys._commands.deployment.plan import CHANGED, CREATED, DELETED, KEPT, REVOKED, Row, changes_in, counts
from mlkeys._commands.playbook import Run
from mlkeys._commands.stacks import not_done, show_report
from mlkeys._shared.printable import one_line

#: The sign of a kind, its colour, and its verb before a deployment.
_SIGNS = {
    CREATED: ("+", "green", "create"),
    CHANGED: ("~", "yellow", "change"),
    REVOKED: ("-", "red", "revoke"),
    DELETED: ("-", "red", "delete"),
    KEPT: (" ", None, "keep"),
}
_BAD = ("failed", "not run")
#: These are in the last line even if there are none.
_USUAL = (CREATED, CHANGED, REVOKED, KEPT)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of stacks.

    Attributes:
        rows: by stack, in the order of the deployment.
        states: what else to say of stacks: `failed`, `not run`, `no longer in the program`.
        planned: whether nothing was done yet.
    """

    rows: Mapping[str, Sequence[Row]]
    states: Mapping[str, str]
    planned: bool = False

    def show(self) -> None:
        """Write the rows to standard output, in colours on a terminal."""
        for text, colour in self._lines():
            click.secho(text, fg=colour)

    def last_line(self, verb: str, seconds: float, usual: Sequence[str] = _USUAL) -> str:
        """Return the counts.

        Args:
            verb: what was done, such as `Deployed`.
            seconds: that it took.
            usual: kinds to name even if there are none.
        """
        shown = {kind: count for kind, count in counts(self.rows).items() if count or kind in usual}
        if self.planned:
            words = (f"{count} {kind if kind == KEPT else f'to {_SIGNS[kind][2]}'}" for kind, count in shown.items())
            return f"Plan: {', '.join(words)}. {verb} in {seconds:.1f} s."
        if not any(shown.values()) and all(self.states.get(name) in _BAD for name in self.rows):
            return f"Nothing was {verb.lower()}."
        words = (f"{count} {kind}" for kind, count in shown.items())
        part = " in part" if any(state in _BAD for state in self.states.values()) else ""
        return f"{verb}{part}: {', '.join(words)} in {seconds:.1f} s."

    def _lines(self) -> Iterator[tuple[str, str | None]]:
        every = [row for rows in self.rows.values() for row in rows]
        widths = max((len(one_line(row.what)) for row in every), default=0), max(map(len, _SIGNS))
        for name, rows in self.rows.items():
            state = self.states.get(name, "" if rows else "no changes")
            if len(self.rows) > 1 or name in self.states:
                yield f"Stack {name}{f': {state}' if state else ''}", "red" if state in _BAD else None
            for row in rows:
                sign, colour, verb = _SIGNS[row.kind]
                what, done = one_line(row.what), verb if self.planned else row.kind
                yield f"  {sign} {what:{widths[0]}}  {done:{widths[1]}}  {one_line(row.why)}".rstrip(), colour


def table(
    found: Sequence[Comparison], rows: Mapping[str, Sequence[Row]], done: Mapping[str, Run], *, planned: bool = False
) -> Table:
    """The table of stacks.

    Args:
        rows: by stack, in the order of the deployment.
        done: the runs of those that were begun.
        planned: whether nothing was done yet.
    """
    gone = {one.state.name: "no longer in the program" for one in found if one.state.gone}
    return Table(rows, {**gone, **not_done([*rows], done)}, planned)


def show_done(
    found: Sequence[Comparison],
    rows: Mapping[str, Sequence[Row]],
    done: Mapping[str, Run],
    verb: str,
    since: float,
    *,
    usual: Sequence[str] = _USUAL,
    as_json: bool,
) -> None:
    """Show what was done: the table with its last line, or the report of the runs as JSON.

    Args:
        since: when the command started, on the monotonic clock.
        usual: kinds to count even if there are none.
    """
    if as_json:
        show_report([*rows], done, "stack", lambda name, _run: changes_in(rows[name]))
        return
    shown = table(found, rows, done)
    shown.show()
    click.echo(shown.last_line(verb, time.monotonic() - since, usual))
