# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys destroy`."""

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
from mlkeys._commands.stacks import run_stacks, terminal
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Stack


@click.command("destroy")
@program_argument
@out_option
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--protected-keys", is_flag=True, help="Delete keys without deletion_allowed as well.")
@json_option
@failing_plainly
def command(
    program: Path, out: Path | None, stacks: tuple[str, ...], *, yes: bool, protected_keys: bool, as_json: bool
) -> None:
    """Take away what PROGRAM (app.py) describes: roles, policies, ciphertexts, keys, engines.

    With a key goes everything that was ever encrypted with it, for good. A key without deletion_allowed keeps the
    command from doing anything, unless --protected-keys is given. An engine stays as long as it holds keys of others.
    Files on hosts stay.

    \b
    Examples:
      mlkeys destroy --stack dev
      mlkeys destroy --yes --protected-keys        in CI, on a server for tests
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
    keyring = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    if not yes and not _agreed(f"Destroy {names} with {keyring}, and all that was ever encrypted with them?"):
        raise MlkeysError("Nothing was destroyed.")
    arguments = ["--extra-vars", '{"force_keys": true}'] if protected_keys else []
    done = run_stacks(todo, folder, "destroy.yml", arguments, as_json=as_json)
    if failed := [name for name, run in done.items() if run.status]:
        raise MlkeysError(f"Stack {failed[0]} is not destroyed as a whole; run again when it is put right.")


def _agreed(question: str) -> bool:
    from rich.prompt import Confirm

    try:
        return Confirm.ask(question, default=False, console=terminal())
    except EOFError:
        return False


def _keys(stack: Stack) -> list[TransitSecretBackendKey]:
    return [c for c in stack.node.walk() if isinstance(c, TransitSecretBackendKey) and c.managed]
