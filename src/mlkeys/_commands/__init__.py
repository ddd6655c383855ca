# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands of `mlkeys`: a folder for each kind, a file for each command."""

from __future__ import annotations

import importlib
import signal
from contextlib import suppress
from typing import Any

import click
from click.exceptions import Exit

from mlkeys._model.attributes import unknown_problem

#: Commands and what they are for: `--help` needs no more of them than this.
COMMANDS = {
    "deploy": "Bring servers and hosts to what a program describes.",
    "destroy": "Take away what a program describes.",
    "dev": "Run a real OpenBao on this machine.",
    "diff": "Show what deploy would change.",
    "doctor": "Find out why something does not work.",
    "edit": "Edit the secrets of an encrypted vars file.",
    "graph": "Draw the tree of constructs.",
    "import": "Bring secrets from elsewhere into an encrypted vars file.",
    "init": "Start a project from a template.",
    "lint": "Find secrets in plain text, and what is wrong with encrypted vars files.",
    "list": "List the stacks of a program.",
    "output": "Show the outputs of what was deployed.",
    "rotate": "Rotate keys, and carry their ciphertexts to the new version everywhere.",
    "status": "Show keys, the versions of all ciphertexts, and what is overdue.",
    "synth": "Write the files that a program describes.",
}

#: Where a command is, if not in a file of its own name beside this one.
PLACES = {
    **{name: f"program.{name}" for name in ("deploy", "destroy", "diff", "graph", "init", "list", "output", "synth")},
    **{name: f"fleet.{name}" for name in ("rotate", "status")},
    "edit": "vars_file.edit",
    "import": "vars_file.import_",
}

#: The same for all commands.
EXIT_CODES = """\b
Exit codes:
  0    it is done, or there was nothing to do
  1    it could not be done, or something is not as it should be
       (synth --check, doctor, lint)
  2    the command was called wrongly;
       diff --fail and status --fail: something is not as described;
       lint: it could not look
  130  it was stopped by Ctrl-C; 128 + the number of any other signal
  dev -- COMMAND ends as COMMAND does.
"""


class Commands(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            ctx.fail(unknown_problem(cmd_name, COMMANDS, "command"))
        name = PLACES.get(cmd_name, cmd_name)
        command = importlib.import_module(f"mlkeys._commands.{name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"mlkeys._commands.{name}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        with suppress(KeyboardInterrupt):
            return super().invoke(ctx)
        # click would take it for an error like any other.
        raise Exit(128 + signal.SIGINT)
