# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What must be known of each stack before anything is made: its record, what left it, what has another name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from mlkeys._commands.deployment import departed
from mlkeys._commands.deployment.carry import check_moved, moves_of
from mlkeys._commands.deployment.departed import Departed
from mlkeys._commands.deployment.needed import check_needed
from mlkeys._commands.deployment.owners import check_owners, on_server
from mlkeys._commands.deployment.state import StackState, states_of
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._record.record import Made
from mlkeys._system import collection


@dataclass(frozen=True, slots=True)
class Comparison:
    """A stack and what left it.

    Attributes:
        owner: the name of the stack on its server; None for a new one.
    """

    state: StackState
    departed: Departed
    owner: str | None


def compared(
    app: Root,
    program: Path,
    stacks: Sequence[Stack],
    named: Collection[str] = (),
    *,
    adopt: bool = False,
    everything: bool = False,
) -> list[Comparison]:
    """Compare stacks with their records and with the server.

    Args:
        named: keys and engines to delete if they left.
        adopt: whether to take over what has an owner without a record.
        everything: whether all will be deleted.

    Raises:
        MlkeysError: a key has another name and its ciphertexts do not follow, a policy is somebody else's, or a name
            is unknown.
    """
    states = {state.name: state for state in states_of(app, program, app.stacks)}
    ours = {state.record.owner for state in states.values() if state.record is not None}
    found = []
    # What it finds out, and the playbooks, need one login.
    collection.share()
    for stack in stacks:
        state = states[stack.node.id]
        if not everything:
            check_moved(state)
        server = on_server(state)
        owner = check_owners(state, server, ours, adopt=adopt)
        if state.record is None and owner is not None:
            state.begin(owner, server.made_by(owner))
        if server.unread and state.record is None:
            click.echo(f"Note: the token may not list {server.unread}. What a lost record made is not found.", err=True)
        others = [_shared(other.wanted) for name, other in states.items() if name != state.name]
        # What moves to another name has not left.
        others += [Made(secrets={one.former: frozenset(one.names.values())}) for one in moves_of(state)]
        found.append(Comparison(state, departed.departed(state, server, others, named, everything=everything), owner))
    if unknown := departed.unknown_names([one.departed for one in found], named):
        raise MlkeysError(
            f"{', '.join(unknown)}: no former deployment made it, or the program still has it. Name a key as "
            "ENGINE/KEY."
        )
    check_needed([one.departed for one in found], states.values(), everything=everything)
    return found


def _shared(made: Made) -> Made:
    """Return what may move from one stack to another: ciphertexts and files are of one stack."""
    return Made(made.policies, made.roles, made.auth_methods, made.keys, made.engines)
