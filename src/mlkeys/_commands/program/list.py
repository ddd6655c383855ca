# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys list`."""

from __future__ import annotations

from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.project import in_order, json_option, program_argument
from mlkeys._synthesis.program import load


@click.command("list")
@program_argument
@json_option
@failing_plainly
def command(program: Path, *, as_json: bool) -> None:
    """List the stacks of PROGRAM (app.py) in deployment order.

    \b
    Examples:
      mlkeys list
      mlkeys list --json | jq -r '.[].name'
    """
    stacks = [
        {"name": stack.node.id, "at": stack.node.location_text, "description": stack.description}
        for stack in in_order(load(program))
    ]
    if as_json:
        show_json(stacks)
        return
    for stack in stacks:
        click.echo("  ".join(part for part in (stack["name"], f"({stack['at']})", stack["description"]) if part))
