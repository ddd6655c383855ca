# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys diff`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TextIO

import click

from mlkeys._commands.deployment.carry import moves_of
from mlkeys._commands.deployment.comparison import Choices, Comparison, compared
from mlkeys._commands.deployment.departed import show
from mlkeys._commands.deployment.gone import gone_stacks
from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.playbook import Run, ansible_playbook
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_option,
    program_argument,
    stack_option,
    synthesised,
)
from mlkeys._commands.stacks import run_each
from mlkeys._errors import MlkeysError
from mlkeys._record.left import lines


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
@json_option
@failing_plainly
def command(
    program: Path,
    out: Path | None,
    stacks: tuple[str, ...],
    *,
    fail: bool,
    delete_keys: tuple[str, ...],
    forget_host: tuple[str, ...],
    adopt: bool,
    as_json: bool,
) -> None:
    """Show what deploy would change, without changing servers or hosts.

    Runs the playbook of each stack in Ansible's check mode with --diff. Tasks that depend on an engine or a key that
    does not exist yet are skipped. With --json, only the counts of each stack are written to standard output.

    Changes by hand are differences too: a rotated key, a lower floor (min_decryption_version), an exportable key. A
    change that deploy cannot undo (an exportable key stays exportable) ends the comparison of its stack, with status 1,
    or 2 with --fail.

    What a former deployment made and the program no longer has is listed. What deploy keeps of it (keys, engines, and
    files without plaintext) does not count as a difference.

    \b
    Examples:
      mlkeys diff
      mlkeys diff --stack prod
      mlkeys diff --fail            for CI and cron: exit with 2 if there is a difference
    """
    app, folder = synthesised(program, out, writes=False)
    gone = gone_stacks(app, program, folder)
    todo = chosen(app, stacks, gone.stacks)
    found = compared(app, gone, program, todo, Choices(delete_keys, forget=forget_host, adopt=adopt), folder)
    done = _compare(found, folder, as_json=as_json)
    for one in found:
        for move in moves_of(one.state):
            click.echo(f"Moves from {move.former} to {move.key}: {', '.join(move.names)}", err=True)
    show([one.departed for one in found])
    _end(done, fail=fail)


def _compare(found: Sequence[Comparison], folder: Path, *, as_json: bool) -> dict[str, Run]:
    """Compare each stack with its server and hosts, and count what left it."""
    left = {one.state.name: one.departed.left for one in found}
    given = {one.state.name: one.arguments() for one in found}
    gone = {one.state.name for one in found if one.state.gone}

    def run(name: str, show: TextIO) -> Run:
        made, deleted = Run(), left[name].deleted
        if name not in gone:
            words = ["--check", "--diff", *given[name]]
            made = ansible_playbook(folder / "ansible" / name, "site.yml", words, show=show, brief=True)
            # What site.yml purges from a file it has counted itself.
            deleted = replace(deleted, secrets={})
        made.changed += sum(1 for _ in lines(deleted))
        made.stats = {**made.stats, "left": [*lines(left[name].deleted)], "kept": [*lines(left[name].kept)]}
        return made

    def details(_name: str, made: Run) -> dict[str, object]:
        return {name: made.stats.get(name, []) for name in ("left", "kept")}

    return run_each([*left], run, kind="stack", as_json=as_json, go_on=True, details=details)


def _end(done: Mapping[str, Run], *, fail: bool) -> NoReturn:
    """Say what differs, and end with the status for it."""
    if failed := [name for name, run in done.items() if run.status and not run.only_refused]:
        raise MlkeysError(f"Not compared: {', '.join(failed)}. The errors are shown above.")
    different = [name for name, run in done.items() if run.changed or run.only_refused]
    click.echo(f"Different: {', '.join(different)}." if different else "No differences.", err=True)
    if beyond := [name for name, run in done.items() if run.only_refused]:
        click.echo(
            f"deploy cannot change: {', '.join(beyond)}. The message above shows what. The tasks after it were not "
            "compared.",
            err=True,
        )
        sys.exit(2 if fail else 1)
    sys.exit(2 if fail and different else 0)
