# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mlkeys._commands.errors import failing_plainly
from mlkeys._errors import MlkeysError

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
@failing_plainly
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: it completes commands, options, files and names of secrets.

    \b
    Examples:
      mlkeys completion bash > ~/.local/share/bash-completion/completions/mlkeys
      mlkeys completion zsh > ~/.zfunc/_mlkeys
      mlkeys completion fish > ~/.config/fish/completions/mlkeys.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise MlkeysError(f"There is no completion for {shell}.")
    root = context.find_root()
    click.echo(kind(root.command, {}, "mlkeys", "_MLKEYS_COMPLETE").source())
