# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What commands share: the program, its stacks and the output folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlkeys._analysis.view import View
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import write_app
from mlkeys._synthesis.synth import Synthesis

program_argument = click.argument(
    "program", type=click.Path(dir_okay=False, path_type=Path), default=Path("app.py"), required=False
)
stack_option = click.option(
    "--stack", "stacks", multiple=True, metavar="NAME", help="Only this stack; may be given several times."
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, for a machine to read.")
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files; mlkeys.out beside the program when not given.",
)


def show_warnings(made: Synthesis) -> None:
    """Tell what is doubtful about a program."""
    for warning in made.warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)


def out_folder(program: Path, out: Path | None) -> Path:
    """The folder for the files, as it was chosen or as it is by default."""
    return out if out is not None else program.parent / "mlkeys.out"


def chosen(app: Root, names: Sequence[str]) -> list[Stack]:
    """The stacks of that name, in the order in which they can be deployed."""
    known = {stack.node.id: stack for stack in app.stacks}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MlkeysError(f"There is no stack {', '.join(unknown)}. The program has: {', '.join(known)}.")
    return [stack for stack in in_order(app) if not names or stack.node.id in names]


def in_order(app: Root) -> list[Stack]:
    """Stacks after those that they need."""
    done, cycle = View(app).stacks_in_order()
    if cycle:
        raise MlkeysError(f"Dependency cycle of stacks: {', '.join(stack.node.id for stack in cycle)}.")
    return done


def synthesised(program: Path, out: Path | None) -> tuple[Root, Path]:
    """The app, with its files up to date."""
    app = load(program)
    folder = out_folder(program, out)
    show_warnings(write_app(app, folder))
    if "ansible" not in app.targets:
        raise MlkeysError("The program leaves the target 'ansible' out, by which this command works.")
    return app, folder
