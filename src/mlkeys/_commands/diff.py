# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys diff`."""

from __future__ import annotations

import re
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

_CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=([1-9]\d*) ", re.MULTILINE)


@click.command("diff")
@program_argument
@out_option
@stack_option
@click.option("--fail", is_flag=True, help="Exit with 1 when there is a difference, not only when it fails.")
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], *, fail: bool) -> None:
    """Show what deploy would change, and change nothing.

    This is Ansible's check mode with differences, for each stack. Of an engine or key that is not there yet, what
    depends on it cannot be shown: it is skipped.
    """
    app, folder = synthesised(program, out)
    different = []
    for stack in chosen(app, stacks):
        click.secho(stack.node.id, bold=True, err=True)
        run = ansible_playbook(folder / "ansible" / stack.node.id, "site.yml", ["--check", "--diff"], quiet=True)
        click.echo(run.stdout, nl=False)
        click.echo(run.stderr, nl=False, err=True)
        if run.returncode:
            sys.exit(1)
        if _CHANGED.search(run.stdout):
            different.append(stack.node.id)
    click.echo(f"Different: {', '.join(different)}." if different else "There is no difference.", err=True)
    sys.exit(1 if fail and different else 0)
