# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys deploy`."""

from __future__ import annotations

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
from mlkeys._commands.sources import require_sources
from mlkeys._commands.stacks import run_stacks
from mlkeys._errors import MlkeysError


@click.command("deploy")
@program_argument
@out_option
@stack_option
@click.option("--limit", metavar="PATTERN", help="Only these hosts. The server is always included.")
@json_option
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], limit: str | None, *, as_json: bool) -> None:
    """Deploy what PROGRAM (app.py) describes.

    Generates the files, then runs the playbook of each stack. The server and the login are read from the environment
    (BAO_ADDR, BAO_TOKEN, VAULT_ADDR, …), unless the stack sets them. A second run changes nothing.

    With --json, only the counts of each stack are written to standard output.

    \b
    Examples:
      mlkeys deploy
      mlkeys deploy --stack prod
      mlkeys deploy --limit 'web-1*'
      mlkeys deploy --json | jq '.stacks[].changed'
      mlkeys dev -- mlkeys deploy       to a temporary development server
    """
    app, folder = synthesised(program, out)
    todo = chosen(app, stacks)
    require_sources(todo)
    arguments = [] if limit is None else ["--limit", f"localhost,{limit}"]
    done = run_stacks(todo, folder, "site.yml", arguments, as_json=as_json)
    if failed := [name for name, run in done.items() if run.status]:
        raise MlkeysError(f"Stack {failed[0]} failed. Fix the errors and rerun; completed steps are kept.")
