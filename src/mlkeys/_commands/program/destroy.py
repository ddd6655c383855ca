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
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--protected-keys", is_flag=True, help="Also delete keys without deletion_allowed.")
@json_option
@failing_plainly
def command(
    program: Path, out: Path | None, stacks: tuple[str, ...], *, yes: bool, protected_keys: bool, as_json: bool
) -> None:
    """Delete what PROGRAM (app.py) created: roles, policies, ciphertexts, keys, engines.

    Everything that was ever encrypted with a deleted key is lost permanently. If a key does not have deletion_allowed,
    nothing is deleted unless you give --protected-keys. An engine that contains other keys is kept. Files on hosts are
    kept.

    \b
    Examples:
      mlkeys destroy --stack dev
      mlkeys destroy --yes --protected-keys        in CI, on a test server
    """
    app, folder = synthesised(program, out)
    todo = list(reversed(chosen(app, stacks)))
    keys = [key for stack in todo for key in _keys(stack)]
    protected = [key.node.path for key in keys if key.protected]
    if protected and not protected_keys:
        raise MlkeysError(
            f"These keys do not allow deletion: {', '.join(protected)}. Set deletion_allowed=True and deploy, "
            "or give --protected-keys."
        )
    names = ", ".join(stack.node.id for stack in todo)
    keyring = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    if not yes and not _agreed(
        f"Destroy {names} with {keyring}, and lose everything that was ever encrypted with them?"
    ):
        raise MlkeysError("Nothing was destroyed.")
    arguments = ["--extra-vars", '{"force_keys": true}'] if protected_keys else []
    done = run_stacks(todo, folder, "destroy.yml", arguments, as_json=as_json)
    if failed := [name for name, run in done.items() if run.status]:
        raise MlkeysError(f"Stack {failed[0]} was not destroyed completely. Fix the errors and rerun.")


def _agreed(question: str) -> bool:
    from rich.prompt import Confirm

    try:
        return Confirm.ask(question, default=False, console=terminal())
    except EOFError:
        return False


def _keys(stack: Stack) -> list[TransitSecretBackendKey]:
    return [c for c in stack.node.walk() if isinstance(c, TransitSecretBackendKey) and c.managed]
