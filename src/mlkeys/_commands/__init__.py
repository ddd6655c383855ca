# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands of `mlkeys`: one folder for each kind, one file for each command."""

from __future__ import annotations

import errno
import importlib
import os
import re
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem

#: Commands and their summaries, so that `--help` need not import them.
COMMANDS = {
    "check": "Check that the secrets of encrypted vars files decrypt.",
    "completion": "Print the completion script of a shell.",
    "deploy": "Deploy what a program describes.",
    "destroy": "Delete what a program created.",
    "dev": "Run an OpenBao development server.",
    "diff": "Show what deploy would change.",
    "doctor": "Diagnose problems.",
    "edit": "Edit the secrets of an encrypted vars file.",
    "graph": "Draw what a program describes.",
    "import": "Import secrets into an encrypted vars file.",
    "init": "Start a project from a template.",
    "lint": "Find plaintext secrets, and problems in encrypted vars files.",
    "list": "List the stacks of a program.",
    "login": "Log in, and keep the token.",
    "logout": "Revoke the token, and forget it.",
    "merge": "Merge two versions of an encrypted vars file, for Git.",
    "move": "Move ciphertexts to a new name.",
    "output": "Show the outputs of a deployment.",
    "rename": "Rename a secret in an encrypted vars file.",
    "rotate": "Rotate keys and rewrap their ciphertexts everywhere.",
    "run": "Run a command with secrets in its environment.",
    "set": "Encrypt a value into an encrypted vars file.",
    "show": "Show the secrets of an encrypted vars file.",
    "status": "Show keys, ciphertext versions, and what is overdue.",
    "synth": "Generate the files that a program describes.",
    "unset": "Remove a secret from an encrypted vars file.",
    "upgrade": "Convert an encrypted vars file for nested data.",
}

#: The sections of `--help`: what you use every day comes first.
SECTIONS = {
    "Secrets": ("set", "show", "run", "edit", "check", "rename", "unset", "import", "upgrade"),
    "Hosts and keys": ("rotate", "status"),
    "Programs of constructs": ("init", "synth", "diff", "deploy", "output", "list", "graph", "move", "destroy"),
    "Tools": ("login", "logout", "doctor", "lint", "dev", "merge", "completion"),
}

#: The modules of commands that are not beside this file under their own names.
PLACES = {
    **{
        name: f"program.{name}"
        for name in ("deploy", "destroy", "diff", "graph", "init", "list", "move", "output", "synth")
    },
    **{name: f"fleet.{name}" for name in ("rotate", "status")},
    **{name: f"secrets.{name}" for name in ("check", "rename", "run", "show", "unset")},
    **{name: f"login.{name}" for name in ("login", "logout")},
    "set": "secrets.set_",
    "edit": "vars_file.edit",
    "merge": "vars_file.merge",
    "upgrade": "vars_file.upgrade",
    "import": "vars_file.import_",
}

#: The same for all commands.
EXIT_CODES = """\b
Exit codes:
  0    success, or nothing to do
  1    failure, or a problem was found (synth --check, doctor, lint, check)
  2    usage error;
       diff --fail, status --fail: a difference or a problem was found;
       lint: files could not be checked
  130  stopped by Ctrl-C; 128 + the number of any other signal
  dev -- COMMAND and run -- COMMAND exit with the status of COMMAND;
       with 126 if it cannot be run, with 127 if it is not found
"""


#: In the context, whether the user wants JSON.
_AS_JSON = "mlkeys.as_json"


def _open_what_is_closed() -> None:
    """Let nothing be read from, and written to, streams that the caller has closed. Programs still get them closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  until the end


# What people may give as an argument, which others on this machine can read, and logs of CI keep.
_UNSEEN = {
    "set": "A value comes from a prompt, standard input or --from-env.",
    "login": "A token or a password comes from a prompt or standard input.",
}
_EXTRA = re.compile(r"Got unexpected extra argument(s?) \(.*\)", re.DOTALL)


def _without_arguments(problem: click.UsageError) -> click.UsageError:
    """The same error; one about arguments that a command does not have, without what they say."""
    found = _EXTRA.fullmatch(problem.message)
    if not found:
        return problem
    name = problem.ctx.command.name if problem.ctx else ""
    shown = "They may be secret, and are not shown." if found[1] else "It may be secret, and is not shown."
    said = filter(None, [f"Got unexpected extra argument{found[1]}. {shown}", _UNSEEN.get(name or "", "")])
    return click.UsageError(" ".join(said), problem.ctx)


class Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            ctx.fail(unknown_problem(cmd_name, COMMANDS, "command"))
        name = PLACES.get(cmd_name, cmd_name)
        command = importlib.import_module(f"mlkeys._commands.{name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"mlkeys._commands.{name}.command is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                # The same column in all sections.
                formatter.write_dl([(name.ljust(width), COMMANDS[name]) for name in names])

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if os.environ.get("NO_COLOR"):
            extra.setdefault("color", False)
        # A command without its arguments has no context that would say so.
        words = args[: args.index("--")] if "--" in args else args
        as_json = "--json" in words
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[_AS_JSON] = as_json
        return context

    def main(self, *args: Any, **extra: Any) -> Any:
        _open_what_is_closed()
        if "_MLKEYS_COMPLETE" in os.environ:
            from mlkeys._commands.completion import register

            register()
        try:
            return super().main(*args, **extra)
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            full = f"{problem.filename or 'The output'} cannot be written: {problem.strerror}."
        with suppress(OSError):
            click.echo(f"Error: {full}", err=True)
        # What is left in the buffer must not fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        # A core file would hold the plaintext, and the token. Programs that it starts may raise the limit again.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with suppress(KeyboardInterrupt):
            try:
                return super().invoke(ctx)
            except click.UsageError as problem:
                refused = _without_arguments(problem)
            if ctx.meta.get(_AS_JSON):
                from mlkeys._commands.errors import refusal, show_json

                show_json(refusal(MlkeysError(refused.format_message())))
            raise refused
        # click would report it as an error and exit with 1.
        raise Exit(128 + signal.SIGINT)
