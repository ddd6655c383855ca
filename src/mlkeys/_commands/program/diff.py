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
    "--fail", is_flag=True, help="Exit with 2 if there is a difference, including one that deploy cannot change."
)
@json_option
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], *, fail: bool, as_json: bool) -> None:
    """Show what deploy would change, without changing servers or hosts.

    Runs the playbook of each stack in Ansible's check mode with --diff. Tasks that depend on an engine or a key that
    does not exist yet are skipped. With --json, only the counts of each stack are written to standard output.

    Changes by hand are differences too: a rotated key, a lower floor (min_decryption_version), an exportable key. A
    change that deploy cannot undo (an exportable key stays exportable) ends the comparison of its stack, with status 1,
    or 2 with --fail.

    \b
    Examples:
      mlkeys diff
      mlkeys diff --stack prod
      mlkeys diff --fail            for CI and cron: exit with 2 if there is a difference
    """
    app, folder = synthesised(program, out)
    done = run_stacks(chosen(app, stacks), folder, "site.yml", ["--check", "--diff"], as_json=as_json, go_on=True)
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
