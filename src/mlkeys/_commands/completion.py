# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys completion`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: it completes commands, options, files and names of secrets.

    \b
    Examples:
      mlkeys completion bash > ~/.local/share/bash-completion/completions/mlkeys
      mlkeys completion zsh > ~/.zfunc/_mlkeys
      mlkeys completion fish > ~/.config/fish/completions/mlkeys.fish
    """
    root = context.find_root()
    click.echo(SHELLS[shell](root.command, {}, "mlkeys", "_MLKEYS_COMPLETE").source())
