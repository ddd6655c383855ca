# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Arguments that commands share: the program, its stacks and the output folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlkeys._analysis.view import View
from mlkeys._commands.errors import show_warning
from mlkeys._commands.paths import PathType, ProgramType
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import write_app
from mlkeys._synthesis.synth import Synthesis

program_argument = click.argument("program", type=ProgramType(), default=Path("app.py"), required=False)
stack_option = click.option("--stack", "stacks", multiple=True, metavar="NAME", help="Only this stack; repeatable.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Also show Ansible's output, with differences.")
out_option = click.option(
    "--out",
    type=PathType(file_okay=False),
    help="Folder for the generated files. Default: mlkeys.out beside the program.",
)


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
    done, cycle = View(app).stacks_in_order()
    if cycle:
        raise MlkeysError(f"Dependency cycle between stacks: {', '.join(stack.node.id for stack in cycle)}.")
    return done


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
