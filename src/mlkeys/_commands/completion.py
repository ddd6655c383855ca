# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys completion`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete, add_completion_class


class _Bash(BashComplete):
    """Bash cuts a word at each `=`, and completes the part after the last one."""

    _done = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        arguments, beginning = super().get_completion_args()
        words: list[str] = []
        is_cut = False
        for word in (*arguments, beginning):
            was_cut, is_cut = is_cut, word == "="
            if words and (was_cut or is_cut):
                words[-1] += word
            else:
                words.append(word)
        *arguments, beginning = words
        if was_cut or is_cut:
            # Of an option, click completes the value alone.
            whole = beginning.partition("=")[2] if beginning.startswith("-") else beginning
            self._done = whole[: whole.rfind("=") + 1]
        return arguments, beginning

    def format_completion(self, item: CompletionItem) -> str:
        return super().format_completion(CompletionItem(str(item.value).removeprefix(self._done), item.type))


SHELLS = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def register() -> None:
    """Let click complete for bash as `SHELLS` has it."""
    add_completion_class(_Bash, "bash")


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
