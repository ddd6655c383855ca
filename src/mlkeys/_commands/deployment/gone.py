# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Stacks that left a program altogether: their records say what they made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mlkeys._commands.deployment.state import StackState, program_folder, record_in
from mlkeys._model.stack import Root, Stack
from mlkeys._record.record import Record
from mlkeys._synthesis.project import write_app
from mlkeys._targets.state_names import FOLDER, RECORD_FILE

#: Where their playbooks are, in the folder for the generated files.
_LEFT = "left"


def gone_stacks(app: Root, program: Path, out: Path) -> Root:
    """Return a program of the stacks that left one, which have nothing in them, and write its playbooks.

    Raises:
        MlkeysError: a record cannot be read.
    """
    gone = Root(targets=("ansible",))
    gone.node.location = app.node.location
    for record in _records(app, program):
        stack = Stack(gone, record.stack, url=record.url, namespace=record.namespace)
        stack.node.location = app.node.location
    if gone.stacks:
        write_app(gone, out / _LEFT)
    return gone


def project_of(state: StackState, out: Path) -> Path:
    """Return the folder with the playbooks of a stack, also of one that left."""
    return (out / _LEFT if state.gone else out) / "ansible" / state.name


def _records(app: Root, program: Path) -> Iterator[Record]:
    """Yield the records of the stacks that a program does not have any more."""
    present = {stack.stored_as for stack in app.stacks}
    folder = program_folder(app)
    found = {path.parent.name: record_in(path.parent) for path in sorted((folder / FOLDER).glob(f"*/{RECORD_FILE}"))}
    owners = {record.owner for name, record in found.items() if name in present and record is not None}
    for name, record in found.items():
        if name in present or record is None:
            continue
        is_theirs = record.program != program.name and (folder / record.program).is_file()
        if is_theirs:
            continue
        if record.program != program.name:
            reason = f"is of the program {record.program}, which does not exist any more"
        elif record.stack != name or record.owner in owners:
            reason = "is a copy of another folder"
        else:
            yield record
            continue
        click.echo(f"Note: {FOLDER}/{name} {reason}. What its record names stays.", err=True)
