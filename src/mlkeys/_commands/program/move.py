# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys move`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from mlkeys._commands.deployment.carry import carry, make_keys
from mlkeys._commands.deployment.foreign import check_claims
from mlkeys._commands.deployment.owners import on_server
from mlkeys._commands.deployment.presence import check_server
from mlkeys._commands.deployment.state import StackState, move, program_folder, states_of
from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.project import out_option, program_argument, synthesised, taking_turns
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
@failing_plainly
@taking_turns
def command(old: str, new: str, program: Path, out: Path | None, *, adopt: bool) -> None:
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
    done = False
    states = states_of(app, program, app.stacks)
    recorded = on_servers(state.record for state in states if state.record is not None)
    for state in states:
        if (found := _found(state, old, new)) is not None:
            check_server(state, adopt=adopt)
            _begin(state, recorded, adopt=adopt)
            project = folder / "ansible" / state.name
            if make_keys(project, sys.stderr).status or carry(state, [found], project, sys.stderr).status:
                raise MlkeysError(f"The ciphertexts of {old} were not moved. The errors are shown above.")
            _note(state, found)
            done = True
            click.echo(f"Moved {_count(found.names)} from {old} to {new}. Next: mlkeys deploy")
    if not done:
        raise MlkeysError(f"{FOLDER} has no ciphertexts of {old}.")


def _count(names: Mapping[str, str]) -> str:
    return "1 secret" if len(names) == 1 else f"{len(names)} secrets"


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


def _begin(state: StackState, recorded: Made, *, adopt: bool) -> None:
    """Record the keys that the stack is about to make, and not those that somebody else made.

    Args:
        recorded: what all stacks of the program made.
    """
    if not adopt:
        server = on_server(state, recorded, None)
        check_claims(state, server.claims)
        state.foreign = server.there
    state.begin_keys()


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
