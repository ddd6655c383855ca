# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_option,
    program_argument,
    stack_option,
    synthesised,
)
from mlkeys._commands.stacks import run_stacks
from mlkeys._errors import MlkeysError


@click.command("diff")
@program_argument
@out_option
@stack_option
@click.option(
    "--fail", is_flag=True, help="Exit with 2 when there is a difference, also one beyond what deploy can change."
)
@json_option
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], *, fail: bool, as_json: bool) -> None:
    """Show what deploy would change, and change nothing on servers and hosts.

    This is Ansible's check mode with differences, for each stack. Of an engine or key that is not there yet, what
    depends on it cannot be shown: it is skipped. With --json, the standard output holds the counts of each stack alone.

    Somebody rotated a key by hand, lowered its floor or made it exportable: that is a difference. What no deploy can
    undo (a key that is exportable stays so) ends the comparison of its stack, with 1, or with 2 for --fail.

    \b
    Examples:
      mlkeys diff
      mlkeys diff --stack prod
      mlkeys diff --fail            in CI or by cron: is everything as the program describes it?
    """
    app, folder = synthesised(program, out)
    done = run_stacks(chosen(app, stacks), folder, "site.yml", ["--check", "--diff"], as_json=as_json, go_on=True)
    if failed := [name for name, run in done.items() if run.status and not run.only_refused]:
        raise MlkeysError(f"Not compared: {', '.join(failed)}. See above for the reason.")
    different = [name for name, run in done.items() if run.changed or run.only_refused]
    click.echo(f"Different: {', '.join(different)}." if different else "There is no difference.", err=True)
    if beyond := [name for name, run in done.items() if run.only_refused]:
        click.echo(
            f"Beyond what deploy can change: {', '.join(beyond)}. The message above says what, and what came after it "
            "was not compared.",
            err=True,
        )
        sys.exit(2 if fail else 1)
    sys.exit(2 if fail and different else 0)
