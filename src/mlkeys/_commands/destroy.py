# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys destroy`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlkeys._app import Stack
from mlkeys._commands.project import (
    ansible_playbook,
    chosen,
    failing_plainly,
    out_option,
    program_argument,
    stack_option,
    synthesised,
)
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._errors import MlkeysError


@click.command("destroy")
@program_argument
@out_option
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--protected-keys", is_flag=True, help="Delete keys without deletion_allowed as well.")
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], *, yes: bool, protected_keys: bool) -> None:
    """Take away what PROGRAM (app.py) describes: roles, policies, ciphertexts, keys, engines.

    With a key goes everything that was ever encrypted with it, for good. A key without deletion_allowed keeps the
    command from doing anything, unless --protected-keys is given. Files on hosts stay.
    """
    app, folder = synthesised(program, out)
    todo = list(reversed(chosen(app, stacks)))
    keys = [key for stack in todo for key in _keys(stack)]
    protected = [key.node.path for key in keys if key.protected]
    if protected and not protected_keys:
        raise MlkeysError(
            f"These keys do not allow deletion: {', '.join(protected)}. Set deletion_allowed=True and deploy, "
            "or say --protected-keys."
        )
    names = ", ".join(stack.node.id for stack in todo)
    if not yes:
        click.confirm(f"Destroy {names} with {len(keys)} keys, and all that was encrypted with them?", abort=True)
    for stack in todo:
        click.secho(stack.node.id, bold=True, err=True)
        arguments = ["--extra-vars", '{"force_keys": true}'] if protected_keys else []
        if ansible_playbook(folder / "ansible" / stack.node.id, "destroy.yml", arguments).returncode:
            sys.exit(1)


def _keys(stack: Stack) -> list[TransitSecretBackendKey]:
    return [c for c in stack.node.walk() if isinstance(c, TransitSecretBackendKey) and c.managed]
