# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Arguments that commands share: the program, its stacks and the output folder."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mlkeys._analysis.cycles import cycle_of_stacks
from mlkeys._analysis.view import View
from mlkeys._commands.errors import show_warning
from mlkeys._commands.paths import PathType, ProgramType
from mlkeys._errors import AppInvalid, MlkeysError, Problem
from mlkeys._model.stack import Root, Stack
from mlkeys._shared._files.locks import Busy, exclusive
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import write_app
from mlkeys._synthesis.synth import Synthesis

P = ParamSpec("P")
T = TypeVar("T")

#: A run that holds its folder for a shorter time is not worth a word.
_UNSEEN_SECONDS = 0.2

program_argument = click.argument("program", type=ProgramType(), default=Path("app.py"), required=False)
stack_option = click.option("--stack", "stacks", multiple=True, metavar="NAME", help="Only this stack; repeatable.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Also show Ansible's output, with differences.")
out_option = click.option(
    "--out",
    type=PathType(file_okay=False),
    help="Folder for the generated files. Default: mlkeys.out beside the program.",
)


def taking_turns(function: Callable[P, T]) -> Callable[P, T]:
    """Let commands that change what lasts of the programs of a folder take turns: those of `program`.

    Two first deployments would give their stack two owners, and make its random secrets twice.
    """

    @functools.wraps(function)
    def in_turn(*arguments: P.args, **options: P.kwargs) -> T:
        with _turn(Path(str(options["program"])).absolute().parent.resolve()):
            return function(*arguments, **options)

    return in_turn


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    name = f"programs of {folder}"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(exclusive(name, _UNSEEN_SECONDS))
        except Busy:
            click.echo("Waiting for another run of mlkeys that changes this program …", err=True)
            held.enter_context(exclusive(name))
        yield


def show_warnings(made: Synthesis) -> None:
    """Show a program's warnings."""
    for warning in made.warnings:
        show_warning(f"Warning: {warning}")


def out_folder(program: Path, out: Path | None) -> Path:
    """The chosen or default folder for the generated files."""
    return out if out is not None else program.parent / "mlkeys.out"


def chosen(app: Root, names: Sequence[str], gone: Sequence[Stack] = ()) -> list[Stack]:
    """The stacks with these names, or all, in deployment order; after them those that left the program."""
    known = {stack.node.id: stack for stack in (*app.stacks, *gone)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MlkeysError(f"Unknown stack {', '.join(unknown)}. The program has: {', '.join(known)}.")
    return [stack for stack in (*in_order(app), *gone) if not names or stack.node.id in names]


def in_order(app: Root) -> list[Stack]:
    """The stacks, each after those that it depends on."""
    view = View(app)
    if (cycle := cycle_of_stacks(view)) is not None:
        stack, text = cycle
        raise AppInvalid((Problem(stack.node.path, stack.node.location_text, text),))
    return view.stacks_in_order()[0]


def synthesised(program: Path, out: Path | None, *, writes: bool = True) -> tuple[Root, Path]:
    """The app, after its files are brought up to date.

    Args:
        writes: whether folders of stacks with another name are renamed.
    """
    # Other commands do without them, and importing them takes a while.
    from mlkeys._commands.deployment.old_layout import move_state
    from mlkeys._commands.deployment.state import rename

    app = load(program)
    folder = out_folder(program, out)
    rename(app, program, writes=writes)
    show_warnings(write_app(app, folder))
    move_state(app, folder)
    if "ansible" not in app.targets:
        raise MlkeysError("This command needs the target 'ansible', which the program does not have.")
    return app, folder
