# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands of `mlkeys` that work on programs and files, one file each.

Exit codes, the same for all:

    0    it is done, or there is nothing to do
    1    it could not be done; `synth --check` and `diff`: something is different; `lint`: something was found
    2    the command was called wrongly; `lint`: it could not look
    130  it was stopped by Ctrl-C
"""

from __future__ import annotations

import importlib
import keyword

import click

#: Commands and what they are for: `--help` needs no more of them than this.
COMMANDS = {
    "deploy": "Bring servers and hosts to what a program describes.",
    "destroy": "Take away what a program describes.",
    "diff": "Show what deploy would change.",
    "doctor": "Find out why something does not work.",
    "edit": "Edit the secrets of an encrypted vars file.",
    "graph": "Draw the tree of constructs.",
    "import": "Bring secrets from elsewhere into an encrypted vars file.",
    "init": "Start a project from a template.",
    "lint": "Find secrets in plain text, and what is wrong with encrypted vars files.",
    "list": "List the stacks of a program.",
    "output": "Show the outputs of what was deployed.",
    "synth": "Write the files that a program describes.",
}


class Commands(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        # A file cannot be called like a word of the language.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"mlkeys._commands.{name}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"mlkeys._commands.{name}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            own = super().get_command(ctx, name)
            rows.append((name, own.get_short_help_str(limit=90) if own else COMMANDS[name]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
