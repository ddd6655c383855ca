# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What left a program: finds it, shows it, and deletes it after the rest is deployed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import click

from mlkeys._commands.deployment.owners import OnServer
from mlkeys._commands.deployment.paths import absolute
from mlkeys._commands.deployment.presence import GONE, LOCKED
from mlkeys._commands.deployment.state import StackState
from mlkeys._commands.playbook import Run, ansible_playbook, files_for_run
from mlkeys._commands.progress import terminal
from mlkeys._constructs.inventory import Template
from mlkeys._errors import MlkeysError
from mlkeys._record.left import Left, left, lines, variables
from mlkeys._record.record import Made

_VARIABLES, _INVENTORY = "left-variables.yml", "left-inventory.yml"


@dataclass(frozen=True, slots=True)
class Departed:
    """What left a stack.

    Attributes:
        destroyed: what the program has and a destruction deletes.
        shared: engines and auth methods that a destruction keeps for others.
        users: AppRoles that somebody else gave a policy which is deleted, with that policy.
        locked: keys that do not allow deletion.
    """

    state: StackState
    left: Left
    destroyed: Made = field(default_factory=Made)
    shared: Made = field(default_factory=Made)
    users: Sequence[tuple[str, str]] = ()
    locked: frozenset[str] = frozenset()

    def remaining(self, *, everywhere: bool) -> Made:
        """Return what a deployment left of it.

        Args:
            everywhere: whether it went to all hosts.
        """
        deleted = self.left.deleted
        elsewhere = Made() if everywhere else Made(files=deleted.files, agents=deleted.agents, hosts=deleted.hosts)
        return self.left.kept.union(elsewhere)

    def shown(self) -> list[str]:
        """Return the lines about it."""
        return [
            *([f"    {self.state.name}: the whole stack"] if self.state.gone else ()),
            *(f"  - {self.state.name}: {line}" for line in lines(self.left.deleted)),
            *(f"    {self.state.name}: {line} (kept)" for line in lines(self.left.kept)),
            *(f"    {self.state.name}: {line} (kept: others use it)" for line in lines(self.shared)),
            *(
                f"    {self.state.name}: AppRole {role} of somebody else, which has the policy {policy} (kept)"
                for role, policy in self.users
            ),
        ]


def departed(
    state: StackState, found: OnServer, others: Sequence[Made], named: Collection[str] = (), *, everything: bool = False
) -> Departed:
    """Find what left a stack, in its record and on the server.

    Args:
        others: what has not left although the stack has it no more.
        named: keys and engines to delete.
    """
    former = state.former
    if state.record is not None:
        # The record names the roles. Anyone who uses a policy of the program in another one made that.
        former = former.union(Made(policies=found.policies_of(state.record.owner)))
    stored = {key: names & former.secrets.get(key, names) for key, names in state.stored().items()}
    former = former.union(Made(secrets=stored))
    shared = found.shared.both(former)
    # A destruction deletes what the program has by itself, but for files on hosts.
    present = replace(state.wanted, files={}) if everything else state.wanted
    for other in others:
        present = present.union(other)
    gone = left(former, present, named, everything=everything)
    # The engine of a key may be gone too, and nothing can be asked about a key without one.
    nowhere = Made(keys=frozenset(key for key, how in found.deletable.items() if how == GONE))
    gone = replace(gone, deleted=gone.deleted.minus(shared).minus(nowhere))
    taken = gone.deleted.policies | (state.wanted.policies if everything else frozenset())
    users = found.users_of(taken, former.union(present).roles)
    destroyed = former.both(state.wanted).minus(shared).minus(nowhere) if everything else Made()
    locked = frozenset(key for key, how in found.deletable.items() if how == LOCKED)
    return Departed(state, gone, destroyed, shared, users, locked)


def unknown_names(found: Sequence[Departed], named: Collection[str]) -> list[str]:
    """Return the names of keys and engines that left no stack."""
    gone = [one.left.deleted.union(one.left.kept) for one in found]
    return sorted(name for name in named if not any(name in made.keys | made.engines for made in gone))


def show(found: Sequence[Departed]) -> bool:
    """Show what left the program. Return whether something of it will be deleted."""
    shown = [line for one in found for line in one.shown()]
    if shown:
        click.echo("\n".join(["No longer in the program:", *shown]), err=True)
    return any(bool(one.left.deleted) for one in found)


def agreed(question: str) -> bool:
    """Ask a question on the terminal."""
    from rich.prompt import Confirm

    try:
        return Confirm.ask(question, default=False, console=terminal())
    except EOFError:
        return False


def confirm(*, yes: bool) -> None:
    """Ask on a terminal whether to delete what was shown. Elsewhere the program is the answer.

    Raises:
        MlkeysError: the user does not agree.
    """
    if not yes and sys.stdin.isatty() and not agreed("Delete this, and deploy?"):
        raise MlkeysError("Nothing was deployed.")


def delete(one: Departed, project: Path, show: TextIO | None, arguments: Sequence[str] = (), *, force: bool) -> Run:
    """Delete what left a stack.

    Args:
        force: whether keys that do not allow their deletion are deleted too.
    """
    made = absolute(one.left.deleted, one.state.program_folder)
    files = {key: one.state.vars_file(key) for key in made.secrets if key not in one.state.wanted.secrets}
    there = {key: str(path) for key, path in files.items() if path.exists()}
    owner = one.state.record.owner if one.state.record is not None else ""
    gone = variables(made, owner, there)
    hosts = {
        group: {"hosts": {host: templates(_login(one.state, made.hosts.get(host, {}), host)) for host in found}}
        for group, found in (("left_hosts", gone["files"]), ("left_services", gone["services"]))
    }
    words = ["--inventory", "inventory", "--inventory", _INVENTORY, "--extra-vars", f"@{_VARIABLES}", *arguments]
    # Programs use templates in paths of files, and to reach hosts. Names come from the server too, and are none.
    gone |= {kind: templates(gone[kind]) for kind in ("files", "services")}
    with files_for_run(project, {_VARIABLES: {"left": gone, "force_keys": force}, _INVENTORY: hosts}):
        return ansible_playbook(project, "left.yml", words, show=show, brief=True)


def _login(state: StackState, recorded: Mapping[str, object], host: str) -> Mapping[str, object]:
    """How to reach a host that the inventory may not have any more."""
    return {} if host in state.wanted.hosts else recorded


def templates(data: Any) -> Any:
    """Return data whose texts are templates."""
    if isinstance(data, str):
        return Template(data)
    if isinstance(data, Mapping):
        return {name: templates(value) for name, value in data.items()}
    return [templates(value) for value in data] if isinstance(data, list) else data
