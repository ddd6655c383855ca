# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys deploy`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlkeys._commands.project import (
    ansible_playbook,
    chosen,
    failing_plainly,
    out_option,
    program_argument,
    stack_option,
    synthesised,
)
from mlkeys._commands.sources import require_sources


@click.command("deploy")
@program_argument
@out_option
@stack_option
@click.option("--limit", metavar="PATTERN", help="Only hosts of this pattern (the server is always among them).")
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], limit: str | None) -> None:
    """Bring servers and hosts to what PROGRAM (app.py) describes.

    Writes the files, then runs the playbook of each stack. The server and the login are those of the environment
    (BAO_ADDR, BAO_TOKEN, VAULT_ADDR, …), unless the stack says otherwise. A second run changes nothing.

    \b
    Examples:
      mlkeys deploy
      mlkeys deploy --stack prod
      mlkeys dev -- mlkeys deploy       on a server that is thrown away
    """
    app, folder = synthesised(program, out)
    todo = chosen(app, stacks)
    require_sources(todo)
    arguments = [] if limit is None else ["--limit", f"localhost,{limit}"]
    for number, stack in enumerate(todo, 1):
        click.secho(f"[{number}/{len(todo)}] {stack.node.id}", bold=True, err=True)
        status = ansible_playbook(folder / "ansible" / stack.node.id, "site.yml", arguments).returncode
        if status:
            click.secho(f"Stack {stack.node.id} failed; run again when it is put right.", fg="red", err=True)
            sys.exit(1)
