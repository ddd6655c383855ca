# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys status`."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.fleet.account_text import output, show_rows
from mlkeys._commands.fleet.status_history import extended, line, looks, of_fleet
from mlkeys._commands.fleet.status_page import page
from mlkeys._commands.fleet.status_rows import folded
from mlkeys._commands.fleet.status_text import (
    FleetStatus,
    KeyStatus,
    broken,
    place,
    reason_in,
    short_hosts,
    shortened,
)
from mlkeys._commands.fleet.targets import Fleet, besides, for_fleets
from mlkeys._commands.paths import PathType
from mlkeys._commands.progress import terminal
from mlkeys._commands.project import json_option
from mlkeys._commands.stacks import show_failures
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import all_printable
from mlkeys._system import replacing, report_files
from mlkeys._system.collection import with_way_to_a_server

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

#: A terminal shows so many ciphertexts one by one.
_FEW = 20
#: How wide the full table may be, in columns, to find out whether it fits.
_WIDEST = 1000
#: A path gets at least so many columns.
_NARROWEST = 16
_STYLES = {
    "current": "green",
    "behind": "yellow",
    "too old": "red",
    "unknown": "red",
    "error": "red",
    "warning": "yellow",
    "note": "blue",
}


@click.command("status")
@click.option("--limit", metavar="PATTERN", help="Only these hosts. The controller is always included.")
@click.option(
    "--older-than",
    metavar="DAYS",
    type=click.IntRange(0),
    default=90,
    show_default=True,
    help="Age at which keys without automatic rotation are overdue; 0 means never.",
)
@click.option(
    "--login-within",
    metavar="DAYS",
    type=click.IntRange(0),
    default=14,
    show_default=True,
    help="Name services whose secret ID expires within this time: without one they cannot start again.",
)
@click.option("--all", "every", is_flag=True, help="Show all ciphertexts, not only those with problems.")
@click.option(
    "--html",
    type=PathType(dir_okay=False),
    help="Also write the report as a self-contained HTML page: to a new file, or to an earlier report.",
)
@click.option(
    "--history",
    type=PathType(dir_okay=False),
    help="Append the result to this file, one line for each run. The page of --html shows all of them.",
)
@click.option("--fail", is_flag=True, help="Exit with 2 if something is overdue, lost, or could not be checked.")
@json_option
@failing_plainly
@for_fleets
def command(  # noqa: PLR0913  each is an option
    fleets: list[Fleet],
    limit: str | None,
    older_than: int,
    login_within: int,
    *,
    every: bool,
    html: Path | None,
    history: Path | None,
    fail: bool,
    as_json: bool,
) -> None:
    """Show the age of keys, the key versions of all ciphertexts, and what is overdue.

    Names services of hosts whose secret ID expires soon.

    Reads the encrypted vars files and the files of the hosts, which are those of PROGRAM (app.py) or of an inventory
    (see the playbook mlkeys.transit.status for its variables). Changes nothing and decrypts nothing. The token needs to
    list and read keys, and to rewrap with them.

    Files of the controller are named from the current folder. The tables fit a terminal of 80 columns: long paths are
    shortened there. In a pipe or a file, each ciphertext is one line with its whole path.

    \b
    Examples:
      mlkeys status
      mlkeys status --html status.html
      mlkeys status --html status.html --history status.jsonl
      mlkeys status -i inventory.yml --all
      mlkeys status --fail                  for cron: exit with 2 if something is overdue
      mlkeys status --json | jq '.fleets[].problems'
    """
    _check(html, history)
    former = replacing.read(history) if history is not None else None
    former_looks = looks(former or "", history or Path())
    found = [_checked(one, limit, older_than, login_within, fleets) for one in fleets if one.selected]
    now = datetime.now().astimezone()
    if history is not None:
        added = "".join(line(one.name, one.report, now) for one in found)
        replacing.replace(history, extended(former or "", added), former)
        all_looks = [*looks(added, history), *former_looks]
        found = [FleetStatus(one.name, one.report, of_fleet(all_looks, one.name)) for one in found]
    if html is not None:
        report_files.write(html, page(found, now, Path.cwd()))
    if as_json:
        show_json({"fleets": [{"name": one.name, **one.report} for one in found]})
    else:
        _show(found, every=every, fail=fail)
    sys.exit(2 if fail and not all(one.healthy for one in found) else 0)


def _check(html: Path | None, history: Path | None) -> None:
    """Refuse a file that holds something else, before anything takes time."""
    if html is not None:
        report_files.check(html)
    if history is not None:
        report_files.check_folder(history)


def _checked(
    fleet: Fleet, limit: str | None, older_than: int, login_within: int, fleets: Sequence[Fleet]
) -> FleetStatus:
    terminal().print(f"Checking {fleet.name} …", style="dim")
    # The report contains names and places, so only this user may read it.
    with tempfile.TemporaryDirectory(prefix="mlkeys-status-") as folder:
        file = Path(folder) / "report.json"
        variables = {
            "vault_transit_status_file": str(file),
            "vault_transit_status_older_than": older_than,
            "vault_transit_status_login_within": login_within,
            "vault_transit_status_besides": list(besides(fleet, fleets)),
            "vault_transit_status_rotate": shlex.join(["mlkeys", "rotate", *fleet.arguments]),
        }
        run = fleet.run("status", variables, limit=limit, show=None, brief=False)
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            # The error has the message of the last failure.
            if len(run.failures) != 1 or not run.problem:
                show_failures(run)
            reason = with_way_to_a_server(run.problem or reason_in(run.output))
            raise MlkeysError(f"The state of {fleet.name} could not be determined: {reason}") from None
        # Paths on hosts are whatever their users made them.
        return FleetStatus(fleet.name, all_printable(report))


def _show(found: Sequence[FleetStatus], *, every: bool, fail: bool) -> None:
    console = output()
    for number, absolute in enumerate(found):
        fleet = absolute.named_from(Path.cwd())
        if len(found) > 1:
            console.print(("\n" if number else "") + fleet.name, style="bold")
        _show_keys(fleet.keys, console)
        _show_ciphertexts(fleet, console, every=every)
        show_rows("unknown", fleet.unknown, console)
        show_rows("unread", fleet.unread, console)
        _show_problems(fleet, console)
    if not fail and not all(fleet.healthy for fleet in found):
        # The exit code is 0, and what was shown must not be mistaken for success.
        console.print("Problems were found. With --fail, this command exits with 2 because of them.", style="yellow")


def _show_keys(keys: Sequence[KeyStatus], console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    # Only what has several words to break between may wrap: a heading of one word would be cut off.
    wrapped = {"rotated by the server", *(["ciphertexts"] if any(len(key.used) > 1 for key in keys) else [])}
    for name in ("key", "version", "age", "rotated by the server", "floor", "ciphertexts"):
        table.add_column(name, no_wrap=name not in wrapped)
    for key in keys:
        age = _styled((f"{key.age}, overdue" if key.overdue else key.age, "yellow" if key.overdue else ""))
        every = f"every {key.rotated_every}" if key.rotated_every else "never"
        table.add_row(key.path, f"v{key.latest}", age, every, f"v{key.floor}", _versions(key))
    console.print(table)


def _versions(key: KeyStatus) -> Text:
    parts = [(f"{version.ciphertexts} at v{version.number}", _STYLES[version.state]) for version in key.used]
    return _styled(*[part for one in parts for part in ((", ", ""), one)][1:]) if parts else _styled(("none", "dim"))


def _show_ciphertexts(fleet: FleetStatus, console: Console, *, every: bool) -> None:
    rows = [row for row in fleet.ciphertexts if every or row["state"] != "current"]
    if not rows:
        return
    if console.is_terminal and len(rows) > _FEW:
        console.print()
        console.print(_folded_table(rows))
        return
    table = _table(rows)
    width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    console.print()
    if not (console.is_terminal and width > console.width):
        console.print(table)
        return
    hosts, domain = short_hosts(sorted({str(row["host"]) for row in rows}))
    if domain:
        console.print(f"Hosts of {domain}:", style="dim")
    short = [{**row, "host": hosts[row["host"]], "path": shortened(row["path"])} for row in rows]
    for key in dict.fromkeys(map(_key_of, rows)):
        if len(fleet.keys) > 1 or key != _key_of(rows[-1]):
            console.print(f"{key or 'no known key'}:", style="bold")
        console.print(_table([row for row in short if _key_of(row) == key], width=console.width))


def _key_of(row: Mapping[str, Any]) -> str:
    return f"{row['backend']}/{row['key']}" if row["key"] else ""


def _table(rows: Sequence[Mapping[str, Any]], *, width: int = 0) -> Table:
    """Return a table of ciphertexts.

    Args:
        width: columns that there are for ciphertexts of one key; 0 for the whole table, whose width does not matter.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("host", "place", "secret", *(["key"] if not width else []), "version", "state"):
        table.add_column(name, overflow="fold", no_wrap=name in ("version", "state"))
    secrets = [row["secret"] or row["name"] for row in rows]
    # The headings are as wide as what is below them, and each column but the last is followed by two spaces.
    others = (["host", *(row["host"] for row in rows)], ["secret", *secrets], ["version"], _STYLES)
    left = max(width - sum(max(map(len, column)) + 2 for column in others), _NARROWEST) if width else _WIDEST
    for row, secret in zip(rows, secrets, strict=True):
        key = [_key_of(row)] if not width else []
        state = _styled((row["state"], _STYLES.get(row["state"], "")))
        table.add_row(row["host"], broken(place(row), left), secret, *key, f"v{row['version']}", state)
    return table


def _folded_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    made = folded(rows)
    keys = len({row.key for row in made}) > 1
    table = Table(box=None, pad_edge=False, caption="--json lists each ciphertext.", caption_justify="left")
    for name in ("hosts", "place", "secrets", *(["key"] if keys else []), "version", "state", "count"):
        table.add_column(name, overflow="fold", no_wrap=name in ("version", "state", "count"))
    for row in made:
        state = _styled((row.state, _STYLES.get(row.state, "")))
        key = [row.key] if keys else []
        table.add_row(row.hosts, row.place, row.secrets, *key, f"v{row.version}", state, str(row.ciphertexts))
    return table


def _show_problems(fleet: FleetStatus, console: Console) -> None:
    console.print()
    for problem in fleet.problems:
        console.print(_styled((f"{problem['severity']}: ", _STYLES[problem["severity"]]), (problem["text"], "")))
    for one in fleet.too_old:
        for sentence in one.sentences:
            console.print(sentence, style=_STYLES["error"])
    if fleet.healthy:
        console.print(fleet.verdict, style="green")


def _styled(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)
