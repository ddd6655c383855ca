# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys diff`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from mlkeys._commands.deployment.carry import decrypting, moves_of
from mlkeys._commands.deployment.comparison import Choices, Comparison, compared
from mlkeys._commands.deployment.gone import gone_stacks, project_of
from mlkeys._commands.deployment.owners import say_adopted
from mlkeys._commands.deployment.plan import Row, changes_in, rows_of, rows_of_gone, rows_of_moves
from mlkeys._commands.deployment.plan_text import table
from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.playbook import Run, ansible_playbook, files_for_run
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_option,
    program_argument,
    stack_option,
    synthesised,
    verbose_option,
)
from mlkeys._commands.stacks import run_each, show_report
from mlkeys._errors import MlkeysError
from mlkeys._record.left import lines
from mlkeys._targets.names import MOVED, NEW_VALUES, NEW_VALUES_OF


@click.command("diff")
@program_argument
@out_option
@stack_option
@click.option(
    "--fail", is_flag=True, help="Exit with 2 if there is a difference, including one that deploy cannot change."
)
@click.option("--delete-keys", multiple=True, metavar="NAME", help="As in deploy; repeatable.")
@click.option("--forget-host", multiple=True, metavar="NAME", help="As in deploy; repeatable.")
@click.option("--adopt", is_flag=True, help="As in deploy.")
@verbose_option
@json_option
@failing_plainly
def command(  # noqa: PLR0913  each is an argument of the command
    program: Path,
    out: Path | None,
    stacks: tuple[str, ...],
    *,
    fail: bool,
    delete_keys: tuple[str, ...],
    forget_host: tuple[str, ...],
    adopt: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Show what deploy would change, without changing servers or hosts.

    Runs the playbook of each stack in Ansible's check mode with --diff. A table shows what would be created, changed,
    revoked, deleted and kept, with old and new values of attributes, and the last line counts it. -v also shows the
    differences of files. What depends on an engine or a key that does not exist yet counts as created. With --json,
    only the counts of each stack are written to standard output.

    Changes by hand are differences too: a rotated key, a lower floor (min_decryption_version), an exportable key. A
    change that deploy cannot undo (an exportable key stays exportable) ends the comparison of its stack, with status 1,
    or 2 with --fail.

    What an earlier deployment created and the program no longer contains is listed. What deploy keeps of it (keys,
    engines, and files without plaintext) does not count as a difference.

    \b
    Examples:
      mlkeys diff
      mlkeys diff --stack prod
      mlkeys diff --fail            for CI and cron: exit with 2 if there is a difference
    """
    start = time.monotonic()
    app, folder = synthesised(program, out, writes=False)
    gone = gone_stacks(app, program, folder)
    todo = chosen(app, stacks, gone.stacks)
    found = compared(app, gone, program, todo, Choices(delete_keys, forget=forget_host, adopt=adopt), folder)
    say_adopted([one.adopted for one in found], "Would take over")
    by_name = {one.state.name: one for one in found}
    compare = partial(_compare, by_name, folder, {MOVED: {}, NEW_VALUES_OF: {}})
    done = run_each([*by_name], compare, kind="stack", as_json=as_json, verbose=verbose, go_on=True)
    rows = {name: _rows(one, done[name], folder) for name, one in by_name.items()}
    if as_json:
        show_report([*done], done, "stack", lambda name, run: {**changes_in(rows[name]), **_left(run)})
        sys.exit(_verdict(done, rows, fail=fail))
    shown = table(found, rows, done, planned=True)
    shown.show()
    status = _verdict(done, rows, fail=fail, hint="" if verbose else " For the differences of files, add -v.")
    click.echo(shown.last_line("Compared", time.monotonic() - start))
    sys.exit(status)


def _compare(
    by_name: Mapping[str, Comparison], folder: Path, known: dict[str, dict[str, Any]], name: str, show: TextIO | None
) -> Run:
    """Compare a stack with its server and hosts, and count what left it.

    Args:
        known: what is known of secrets of the stacks before it, by variable and stack. It gets that of this one.
    """
    one, made = by_name[name], Run()
    if not one.state.gone:
        project = folder / "ansible" / one.state.name
        known[MOVED][name] = decrypting(one.state)
        # Ciphertexts may be longer than an argument, and another comparison may run at the same time.
        file = f"known-{os.getpid()}.yml"
        files = {file: known} if any(of_stack for stacks in known.values() for of_stack in stacks.values()) else {}
        words = ["--check", "--diff", *one.arguments(), *(["--extra-vars", f"@{file}"] if files else [])]
        with files_for_run(project, files):
            made = ansible_playbook(project, "site.yml", words, show=show, brief=True)
    known[NEW_VALUES_OF][name] = made.stats.get(NEW_VALUES, [])
    made.stats = {
        **made.stats,
        "left": [*lines(one.departed.left.deleted)],
        "kept": [*lines(one.departed.left.kept)],
    }
    return made


def _left(made: Run) -> dict[str, object]:
    return {name: made.stats.get(name, []) for name in ("left", "kept")}


def _rows(one: Comparison, made: Run, folder: Path) -> list[Row]:
    return [
        *rows_of(made, project_of(one.state, folder), one.state.program_folder),
        *rows_of_moves(moves_of(one.state)),
        *rows_of_gone(one.departed),
    ]


def _verdict(done: Mapping[str, Run], rows: Mapping[str, Sequence[Row]], *, fail: bool, hint: str = "") -> int:
    """Say what differs, and return the status for it."""
    if failed := [name for name, run in done.items() if run.status and not run.only_refused]:
        raise MlkeysError(f"Not compared: {', '.join(failed)}. The errors are shown above.")
    different = [name for name, run in done.items() if changes_in(rows[name])["changed"] or run.only_refused]
    click.echo(f"Different: {', '.join(different)}.{hint}" if different else "No differences.", err=True)
    if beyond := [name for name, run in done.items() if run.only_refused]:
        click.echo(
            f"deploy cannot change: {', '.join(beyond)}. The message above shows what. The tasks after it were not "
            "compared.",
            err=True,
        )
        return 2 if fail else 1
    return 2 if fail and different else 0
