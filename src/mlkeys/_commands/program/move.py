# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys move`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from mlkeys._commands.deployment.carry import carry, make_keys
from mlkeys._commands.deployment.foreign import check_claims
from mlkeys._commands.deployment.owners import on_server
from mlkeys._commands.deployment.plan import Row, rows_of, rows_of_moves
from mlkeys._commands.deployment.plan_text import Table
from mlkeys._commands.deployment.presence import check_server
from mlkeys._commands.deployment.state import StackState, move, program_folder, states_of
from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import command_line
from mlkeys._commands.playbook import Run
from mlkeys._commands.project import out_option, program_argument, synthesised, taking_turns, verbose_option
from mlkeys._commands.stacks import not_done, run_each
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root
from mlkeys._record.record import Made, Move, on_servers
from mlkeys._targets.state_names import FOLDER, folder_of


@click.command("move")
@click.argument("old")
@click.argument("new")
@program_argument
@out_option
@click.option("--adopt", is_flag=True, help="Use a server that has taken the place of the former one, with its keys.")
@verbose_option
@failing_plainly
@taking_turns
def command(old: str, new: str, program: Path, out: Path | None, *, adopt: bool, verbose: bool) -> None:
    """Move ciphertexts to a new name in PROGRAM (app.py).

    OLD and NEW are both stacks (NAME), keys (ENGINE/KEY), or secrets (ENGINE/KEY/NAME). Change the name in the program
    first. The ciphertexts of a stack move to its new folder. Those of a key or a secret are decrypted on the server and
    encrypted under the new name there; their plaintext is in no file. The old key stays.

    To have a deployment do this, name the old one in the program: aliases=["OLD"].

    \b
    Examples:
      mlkeys move transit/ml-api-key transit/providers
      mlkeys move transit/providers/openai transit/providers/openai_api_key
      mlkeys move staging stage
    """
    app, folder = synthesised(program, out)
    if "/" not in old and "/" not in new:
        _rename_stack(app, old, new)
        return
    states = {state.name: state for state in states_of(app, program, app.stacks)}
    found = {name: move for name, state in states.items() if (move := _found(state, old, new)) is not None}
    if not found:
        raise MlkeysError(f"{FOLDER} has no ciphertexts of {old}.")
    rows: dict[str, list[Row]] = {name: [] for name in found}
    recorded = on_servers(state.record for state in states.values() if state.record is not None)
    for name in found:
        check_server(states[name], adopt=adopt)
        _check_keys(states[name], recorded, adopt=adopt)

    def run(name: str, show: TextIO | None) -> Run:
        return _move(states[name], found[name], folder / "ansible" / name, show, rows[name])

    done = run_each([*found], run, kind="stack", as_json=False, verbose=verbose)
    Table(rows, not_done([*found], done)).show()
    if any(one.status for one in done.values()):
        raise MlkeysError(f"The ciphertexts of {old} were not moved. The errors are shown above.")
    count = sum(len(move.names) for move in found.values())
    click.echo(f"Moved {count} secret{'' if count == 1 else 's'} from {old} to {new}. Next: {command_line('deploy')}")


def _move(state: StackState, found: Move, project: Path, show: TextIO | None, rows: list[Row]) -> Run:
    """Move ciphertexts of a stack.

    Args:
        rows: gets what was done.
    """
    state.begin_keys()
    run = make_keys(project, show)
    rows += rows_of(run, project, state.program_folder)
    if not run.status:
        run = run.followed_by(carry(state, [found], project, show))
    if not run.status:
        _note(state, found)
        rows += rows_of_moves([found])
    return run


def _rename_stack(app: Root, old: str, new: str) -> None:
    present = [stack.node.id for stack in app.stacks]
    folder = program_folder(app)
    if new not in present:
        raise MlkeysError(f"The program has no stack {new}. It has: {', '.join(present)}.")
    if old in present:
        raise MlkeysError(f"The program still has the stack {old}.")
    if not (folder / folder_of(old)).is_dir():
        raise MlkeysError(f"{FOLDER}/{old} does not exist.")
    if (folder / folder_of(new)).exists():
        raise MlkeysError(f"{FOLDER}/{new} already exists.")
    move(folder / folder_of(old), folder / folder_of(new))
    click.echo(f"Moved {folder_of(old)} to {folder_of(new)}. Next: {command_line('deploy')}")


def _found(state: StackState, old: str, new: str) -> Move | None:
    """What is stored under the old name, None when nothing is.

    Raises:
        MlkeysError: the program has it under the old name, or not under the new one.
    """
    stored, wanted = state.stored(), state.wanted.secrets
    if old in stored:
        names = {name: name for name in sorted(stored[old] & wanted.get(new, frozenset()))}
        former, key = old, new
    else:
        former, _, name = old.rpartition("/")
        if name not in stored.get(former, frozenset()):
            return None
        key, _, present = new.rpartition("/")
        names = {present: name} if present in wanted.get(key, frozenset()) else {}
    if not names:
        raise MlkeysError(f"The program has no secret of {old} under {new}: change the name in the program first.")
    if taken := sorted(name for name in names if name in stored.get(key, frozenset())):
        raise MlkeysError(f"{', '.join(taken)}: already stored under {key}.")
    if kept := sorted(name for name in names.values() if name in wanted.get(former, frozenset())):
        raise MlkeysError(f"{', '.join(kept)}: the program still has it under {former}.")
    return Move(former, key, names)


def _check_keys(state: StackState, recorded: Made, *, adopt: bool) -> None:
    """Find out which keys somebody else made: the stack changes none of them, and does not record them.

    Args:
        recorded: what all stacks of the program made.

    Raises:
        MlkeysError: it would change one.
    """
    if not adopt:
        server = on_server(state, recorded, None)
        check_claims(state, server.claims)
        state.foreign = server.there


def _note(state: StackState, found: Move) -> None:
    """Record where the secrets are now, and which server has their keys."""
    if state.record is None:
        return
    secrets = dict(state.record.made.secrets)
    left = secrets.pop(found.former, frozenset()) - {*found.names.values()}
    if left:
        secrets[found.former] = left
    secrets[found.key] = secrets.get(found.key, frozenset()) | {*found.names}
    former = {f"{found.former}/{old}": f"{found.key}/{new}" for new, old in found.names.items()}
    generated = frozenset(former.get(name, name) for name in state.record.made.generated)
    record = state.record.with_made(replace(state.record.made, secrets=secrets, generated=generated))
    state.write(replace(record, server=state.server))
