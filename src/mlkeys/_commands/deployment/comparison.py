# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What must be known of each stack before anything is made: its record, what left it, what has another name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.deployment import departed
from mlkeys._commands.deployment.carry import check_moved, moves_of
from mlkeys._commands.deployment.departed import Departed
from mlkeys._commands.deployment.foreign import check_claims
from mlkeys._commands.deployment.forgotten import forget_hosts
from mlkeys._commands.deployment.generated import check_floors, check_generated, known_of
from mlkeys._commands.deployment.gone import project_of
from mlkeys._commands.deployment.needed import check_needed
from mlkeys._commands.deployment.owners import Owner, check_owners, check_roles, on_server, say_orphans
from mlkeys._commands.deployment.paths import evaluate
from mlkeys._commands.deployment.presence import check_keys, check_server
from mlkeys._commands.deployment.state import StackState, program_folder, states_of
from mlkeys._commands.paths import command_line
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._record.record import Made, Record, on_servers
from mlkeys._record.remade import Known
from mlkeys._shared.suggestions import did_you_mean
from mlkeys._system import collection
from mlkeys._targets.state_names import FOLDER, RECORD_FILE


@dataclass(frozen=True, slots=True)
class Comparison:
    """A stack and what left it.

    Attributes:
        former_owners: other stacks of the program that made policies which this one has now, as their comments say.
        adopted: the owner without a record whose objects this stack takes over.
    """

    state: StackState
    departed: Departed
    former_owners: Sequence[str] = ()
    adopted: Owner | None = None

    def arguments(self, generate: Collection[str] = ()) -> list[str]:
        """Return arguments for the playbook of the stack.

        Args:
            generate: names of random secrets to make again.
        """
        given: dict[str, Any] = {}
        if (command := command_line("deploy")) != "mlkeys deploy":
            # Messages of the playbook name it.
            given["deploy_command"] = command
        if generate:
            given["generate"] = [*generate]
        if self.former_owners:
            given["former_managers"] = [*self.former_owners]
        state, record = self.state, self.state.record
        if record is not None and not (record.program == state.program and (state.folder / RECORD_FILE).exists()):
            # A comparison does not write what it takes over, or another name of the program.
            given["recorded"] = json.loads(replace(record, program=state.program).text())
        return ["--extra-vars", json.dumps(given)] if given else []


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose.

    Attributes:
        named: keys and engines to delete if they left.
        generate: names of random secrets to make again.
        forget: hosts that do not exist any more.
        adopt: whether to take over what has an owner without a record.
        everything: whether all will be deleted.
    """

    named: Collection[str] = ()
    generate: Collection[str] = ()
    forget: Collection[str] = ()
    adopt: bool = False
    everything: bool = False


def compared(
    app: Root, gone: Root, program: Path, stacks: Sequence[Stack], choices: Choices, out: Path
) -> list[Comparison]:
    """Compare stacks with their records and with the server.

    Args:
        gone: the stacks that left the program.
        out: the folder with the generated files.

    Raises:
        MlkeysError: a key or a random secret has another name and its ciphertexts do not follow, a policy is somebody
            else's, or a name is unknown.
    """
    states = states_of(app, program, app.stacks) + states_of(gone, program, gone.stacks, gone=True)
    known = known_of(program_folder(app) / FOLDER, program.name, states)
    chosen = {stack.node.id for stack in stacks}
    # What it finds out, and the playbooks, need one login.
    collection.share()
    by_name = {state.name: state for state in states if state.name in chosen}
    forget_hosts(by_name.values(), choices.forget, out)
    for state in states:
        # What moves to another stack has its path there.
        evaluate(state, project_of(state, out))
    records = [state.record for state in by_name.values() if state.record is not None]
    found = [_compared(by_name[stack.node.id], states, known, choices, records) for stack in stacks]
    if unknown := departed.unknown_names([one.departed for one in found], choices.named):
        raise MlkeysError(
            f"{', '.join(unknown)}: no former deployment made it, or the program still has it. Name a key as "
            "ENGINE/KEY."
        )
    _check_generate(by_name.values(), choices.generate)
    check_needed([one.departed for one in found], states, everything=choices.everything)
    return found


def _compared(
    state: StackState,
    states: Sequence[StackState],
    known: Mapping[str, Known],
    choices: Choices,
    going: Sequence[Record],
) -> Comparison:
    """Compare one stack.

    Args:
        going: the records of all stacks of this run.
    """
    check_server(state, adopt=choices.adopt)
    if not choices.everything:
        check_moved(state)
    records = [other.record for other in states if other.record is not None]
    # A destruction has no use for what is in no record, unless it takes that over.
    asks = choices.adopt or not choices.everything
    recorded = on_servers(records) if asks else state.wanted
    server = on_server(state, recorded, on_servers(going) if choices.everything else None)
    ours = {record.owner for record in records}
    adopted = check_owners(state, server, ours, adopt=choices.adopt)
    owner = adopted.id if adopted is not None else state.record.owner if state.record is not None else None
    if not choices.everything:
        check_roles(state, server, ours, adopt=choices.adopt)
        if not choices.adopt:
            check_claims(state, server.claims)
    adopts = state.record is None and owner is not None
    if not choices.everything:
        check_generated(state, known, choices.generate, adopts=adopts)
        check_keys(state, choices.generate)
        check_floors(state)
    if choices.adopt:
        found = server.there if owner is None else server.there.union(server.made_by(owner))
        state.adopt(found, owner)
    else:
        state.foreign = server.there
    if not choices.everything and adopted is None:
        say_orphans(state, server, ours)
    if server.unread and state.record is None:
        click.echo(f"Note: the token may not list {server.unread}. What a lost record made is not found.", err=True)
    others = [_shared(other.wanted, state.former) for other in states if other is not state]
    # What moves to another name has not left.
    others += [Made(secrets={one.former: frozenset(one.names.values())}) for one in moves_of(state)]
    left = departed.departed(state, server, others, choices.named, everything=choices.everything)
    former = {one.id for name, one in server.owners.items() if name in state.wanted.policies and one.id in ours}
    own = state.record.owner if state.record is not None else ""
    return Comparison(state, left, sorted(f"owner {one}" for one in former if one != own), adopted)


def _check_generate(states: Iterable[StackState], generate: Collection[str]) -> None:
    """Check that random secrets have the names that the user gives.

    Raises:
        MlkeysError: one has not.
    """
    known = {name.rpartition("/")[2] for state in states for name in state.wanted.generated}
    for name in generate:
        if name not in known:
            near = did_you_mean(name, known)
            raise MlkeysError(f"--generate {name}: the program has no random secret of this name.{near}")


def _shared(made: Made, former: Made) -> Made:
    """Return what may move from one stack to another: ciphertexts are of one stack, and so are files.

    A host of the same name may be another one, unless Ansible reaches it in the same way.
    """
    files = {host: found for host, found in made.files.items() if made.hosts.get(host) == former.hosts.get(host)}
    return Made(made.policies, made.roles, made.auth_methods, made.keys, made.engines, files=files)
