# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What commands share: the program, the output folder, and the tools that do the work."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mlkeys._app import App, Stack
from mlkeys._errors import MlkeysError
from mlkeys._program import load
from mlkeys._project import write_app
from mlkeys._synth import needed_stacks
from mlkeys._view import View

P = ParamSpec("P")
T = TypeVar("T")

program_argument = click.argument(
    "program", type=click.Path(dir_okay=False, path_type=Path), default=Path("app.py"), required=False
)
stack_option = click.option(
    "--stack", "stacks", multiple=True, metavar="NAME", help="Only this stack; may be given several times."
)
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files; mlkeys.out beside the program when not given.",
)


def failing_plainly(function: Callable[P, T]) -> Callable[P, T]:
    """What the user can put right ends the command with its text and status 1."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except MlkeysError as problem:
            text = str(problem)
        raise click.ClickException(text)

    return guarded


def out_folder(program: Path, out: Path | None) -> Path:
    return out if out is not None else program.parent / "mlkeys.out"


def chosen(app: App, names: Sequence[str]) -> list[Stack]:
    """The stacks of that name, in the order in which they can be deployed."""
    known = {stack.node.id: stack for stack in app.stacks}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MlkeysError(f"There is no stack {', '.join(unknown)}. The program has: {', '.join(known)}.")
    return [stack for stack in in_order(app) if not names or stack.node.id in names]


def in_order(app: App) -> list[Stack]:
    """Stacks after those that they need."""
    view = View(app)
    done: list[Stack] = []
    rest = list(app.stacks)
    while rest:
        ready = [stack for stack in rest if needed_stacks(view, stack) <= set(done)]
        if not ready:
            raise MlkeysError(f"These stacks wait for one another: {', '.join(stack.node.id for stack in rest)}.")
        done.append(ready[0])
        rest.remove(ready[0])
    return done


def synthesised(program: Path, out: Path | None) -> tuple[App, Path]:
    """The app, with its files up to date."""
    app = load(program)
    folder = out_folder(program, out)
    made = write_app(app, folder)
    for warning in made.warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    if "ansible" not in app.targets:
        raise MlkeysError("The program leaves the target 'ansible' out, by which this command works.")
    return app, folder


def ansible_playbook(
    folder: Path, playbook: str, arguments: Sequence[str] = (), *, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of a project; what it prints is shown as it comes, unless it is for us."""
    argv = [_tool("ansible-playbook"), playbook, *arguments]
    try:
        return subprocess.run(
            argv,
            cwd=folder,
            env=_environment(os.environ),
            check=False,
            text=True,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.PIPE if quiet else None,
        )
    except OSError as problem:
        reason = problem.strerror
    raise MlkeysError(f"{argv[0]} cannot be run: {reason}.")


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    # The project's own configuration counts, and no log file or callback may keep what a playbook prints.
    kept = {name: value for name, value in environ.items() if name not in ("ANSIBLE_CONFIG", "ANSIBLE_LOG_PATH")}
    return {**kept, **({"ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else {"ANSIBLE_NOCOLOR": "1"})}


def _tool(name: str) -> str:
    """A program of the environment that mlkeys is installed in, else of the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MlkeysError(f"{name} is not installed: pip install ansible-core")
    return found
