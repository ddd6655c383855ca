# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Shows the account of a rotation to people."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlkeys._commands.fleet.account import Account, Row, Wanted, advice, again, everywhere, finished, losses, rotating
from mlkeys._commands.paths import command_line
from mlkeys._shared.durations import age_text

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 1000
#: This many rows of each kind are shown. --json has all of them.
LISTED = 10
# An engine may have many keys, and each was tried.
_NAMED = 3
_STYLES = {"current": "green", "behind": "yellow", "too old": "red", "unknown": "red"}

#: A column may have another title than its name in the rows.
_TITLES = {"path": "place", "problem": "reason"}
_PLACE = ("host", "path")
#: The lists of an account: heading, and the names of the columns in the rows.
_LISTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown": ("Ciphertexts that no key could be found for", (*_PLACE, "version", "name", "tried", "reason")),
    "lost": ("Ciphertexts below the floor", (*_PLACE, "version", "name")),
    "behind": ("Ciphertexts that are behind", (*_PLACE, "version", "name", "problem")),
    "unread": ("Places that were not read", ("host", "path", "reason")),
    "hosts": ("Hosts that were not looked at", ("host", "reason")),
    "services": (
        "Services, and the versions they started with",
        ("host", "service", "versions", "reason"),
    ),
    "not_searched": ("Places that were not searched, which do not keep the floor", ("host", "path", "reason")),
    "accepted": ("Accepted by name", ("host", "path")),
    "unnamed": ("Ciphertexts that may hold the old value as well", (*_PLACE, "name")),
}
#: It is shown by itself.
_APART = "unnamed"
_UNNAMED = "The key {} is not derived: nothing shows which secrets these ciphertexts are, so they are not replaced."


def output() -> Console:
    """The console for results. Without a terminal, lines are not wrapped."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDE
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


def show_account(account: Account, wanted: Wanted, words: Sequence[str], console: Console) -> None:
    """Show an account, what blocks, and the next command to type.

    Args:
        words: the words of this command.
    """
    title = "Predicted account" if wanted.dry_run else "Account"
    console.print(f"\n{title} of {account.key}", style="bold")
    _counts(account, console)
    for name in _LISTS:
        if name != _APART:
            show_rows(name, account.rows(name), console)
    for secret, where in account.replaced.items():
        everywhere = where == "everywhere"
        verb = f"would {'' if everywhere else 'not '}be" if wanted.dry_run else f"was{'' if everywhere else ' not'}"
        console.print(f"{secret} {verb} replaced everywhere.", style="" if everywhere else "red")
    if account.unnamed:
        show_rows("unnamed", account.unnamed_rows, console, account.unnamed)
        console.print(_UNNAMED.format(account.key), style="red")
    console.print()
    if wanted.rotates:
        _show_rotation(account, wanted, words, console)
    done = finished(account, wanted)
    for sentence in _result(account, wanted):
        console.print(sentence, style="green" if done else "yellow")
    if done:
        return
    for sentence in account.blocking:
        console.print(f"- {sentence}")
    for sentence, options in advice(account, wanted):
        console.print(sentence)
        console.print(f"  {shlex.join(again(words, options))}")


def _show_rotation(account: Account, wanted: Wanted, words: Sequence[str], console: Console) -> None:
    """Show whether a version was created, or why not and what creates one."""
    rotation = account.rotation
    if not rotation:
        return
    if rotation["done"]:
        console.print(f"{account.key} {'would be' if wanted.dry_run else 'was'} rotated to v{account.target}.")
        return
    kept = f"{account.key} {'would not be' if wanted.dry_run else 'was not'} rotated:"
    if not rotation["asked"] and everywhere(account, wanted):
        console.print(f"{kept} v{account.target} was not everywhere. Now it is. To rotate the key now:")
        console.print(f"  {shlex.join(rotating(words, account.key))}")
    elif not rotation["asked"]:
        console.print(f"{kept} first, v{account.target} has to be everywhere.")
    elif not rotation["due_seconds"]:
        console.print(f"{kept} another run has rotated it meanwhile.")
    else:
        age, due = age_text(rotation["age_seconds"]), age_text(rotation["due_seconds"])
        how_old = f"{age} old" if age else "of unknown age"
        console.print(f"{kept} v{account.target} is {how_old}, and due at {due} (--older-than). To rotate it now:")
        console.print(f"  {shlex.join(rotating(words, account.key))}")


def _counts(account: Account, console: Console) -> None:
    from rich.table import Table

    console.print("1 file was read." if account.files == 1 else f"{account.files} files were read.")
    if not account.ciphertexts:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("key", "version", "state", "ciphertexts"):
        table.add_column(name, justify="right" if name == "ciphertexts" else "left")
    for row in account.ciphertexts:
        state = str(row.get("state", ""))
        table.add_row(
            str(row.get("key") or ""),
            f"v{row.get('version', '?')}",
            state,
            str(row.get("count", "")),
            style=_STYLES.get(state, ""),
        )
    console.print(table)


def show_rows(name: str, rows: Sequence[Row], console: Console, total: int = 0) -> None:
    """Show one of the lists of an account.

    Args:
        total: how many there are, if the rows are not all.
    """
    from rich.table import Table

    if not rows:
        return
    heading, columns = _LISTS[name]
    shown = rows[:LISTED]
    used = [name for name in columns if any(row.get(name) for row in shown)]
    table = Table(box=None, pad_edge=False)
    for column in used:
        table.add_column(_TITLES.get(column, column), overflow="fold")
    for row in shown:
        table.add_row(*(_cell(row, column) for column in used))
    console.print(f"\n{heading}: {total or len(rows)}", style="bold")
    console.print(table)
    if (total or len(rows)) > len(shown):
        listed = "lists all" if total <= len(rows) else f"lists {len(rows)}"
        console.print(f"and {(total or len(rows)) - len(shown)} more; --json {listed}")


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    if isinstance(value, (list, tuple)):
        more = f" and {len(value) - _NAMED} more" if len(value) > _NAMED else ""
        return ", ".join(map(str, value[:_NAMED])) + more
    if value is None:
        return ""
    if column == "path" and row.get("line"):
        return f"{value}:{row['line']}"
    return f"v{value}" if column == "version" else str(value)


def _result(account: Account, wanted: Wanted) -> list[str]:
    before, after = account.floor
    floor = f"The floor (min_decryption_version) of {account.key}"
    if not wanted.floor:
        found = [f"{floor} was left at v{after}, as requested."]
    elif wanted.follow and not (account.blocking or account.left):
        found = [f"All ciphertexts here have v{account.target}. {floor} waits for the others that use the key."]
    elif account.left and wanted.limited:
        are, stays = ("would be", "would stay") if wanted.dry_run else ("are", "stays")
        found = [f"{account.left} ciphertexts {are} left for the next run. Until then, the floor {stays} at v{after}."]
    elif wanted.dry_run:
        would = f"stay at v{before}:" if account.blocking else f"be raised from v{before} to v{account.target}."
        found = [f"{floor} would {would}" if before < account.target else f"{floor} is v{before}."]
    elif after >= account.target and not account.blocking:
        found = [f"{floor} was raised from v{before} to v{after}." if after != before else f"{floor} is v{after}."]
    else:
        found = [f"The floor (min_decryption_version) of {account.key} stays at v{after}:"]
    if account.lowered_from and account.blocking:
        found.append(
            f"Before, it may have been v{account.lowered_from} (min_encryption_version): a run with --recover did not "
            "end, or somebody lowered it. It is raised again when nothing blocks."
        )
    if account.trimmed and account.target <= 1:
        found.append("The key has one version, so none is destroyed.")
    elif account.trimmed:
        destroyed = "would be destroyed" if wanted.dry_run else "are destroyed"
        found.append(f"The versions below v{account.target} {destroyed}.")
    elif wanted.trim and not (wanted.dry_run or wanted.follow):
        found.append("No version was destroyed.")
    return found


def show_losses(account: Account, console: Console) -> None:
    """Show what may be lost if the old versions are trimmed although the account is not completely clean."""
    found = losses(account)
    console.print(f"Trimming {account.key} destroys the versions below v{account.target} permanently.", style="bold")
    console.print("If the following need these versions, they are lost:")
    for text in found[:LISTED]:
        console.print(f"- {text}")
    if len(found) > LISTED:
        console.print(f"- and {len(found) - LISTED} more; '{command_line('rotate', '--dry-run', '--json')}' lists all")
