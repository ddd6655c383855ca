# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a server says of who made its policies and AppRoles: a policy's first comment names the stack."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click

from mlkeys._commands.deployment import presence
from mlkeys._commands.deployment.foreign import Claim, claims
from mlkeys._commands.deployment.state import StackState
from mlkeys._errors import MlkeysError
from mlkeys._record.record import Made
from mlkeys._shared.names import path_problem
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

_MARK = re.compile(r"# Managed by program (\S+), stack (\S+), owner ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Owner:
    """The stack that made a policy."""

    program: str
    stack: str
    id: str


@dataclass(frozen=True, slots=True)
class OnServer:
    """What a server says.

    Attributes:
        owners: by policy.
        roles: names of policies by AUTH_METHOD/ROLE.
        there: what the program names, no record of it has, and the server has already.
        claims: what a deployment would change of these.
        shared: engines and auth methods with keys and roles that no record of the stack has.
        deletable: what stands against the deletion of keys that a destruction would delete.
        unread: what the token may not read.
    """

    owners: Mapping[str, Owner] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    there: Made = field(default_factory=Made)
    claims: Sequence[Claim] = ()
    shared: Made = field(default_factory=Made)
    deletable: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""

    def policies_of(self, owner: str) -> frozenset[str]:
        """Return the policies of an owner."""
        return frozenset(name for name, found in self.owners.items() if found.id == owner)

    def made_by(self, owner: str) -> Made:
        """Return what an owner without a record made: its policies, and roles that have one of their own name.

        Anybody may give a role the policies of a program. Only the program makes a policy for a role, under its name.
        """
        policies = self.policies_of(owner)
        theirs = frozenset(self.owners) - policies
        named = {role: role.rpartition("/")[2].lower() for role in self.roles}
        roles = {role for role, found in self.roles.items() if named[role] in found & policies and not found & theirs}
        return Made(policies=policies, roles=frozenset(roles))

    def users_of(self, policies: frozenset[str], ours: frozenset[str]) -> list[tuple[str, str]]:
        """Return somebody else's roles, each with the first of these policies that it has."""
        found = {role: sorted(held & policies) for role, held in self.roles.items() if role not in ours}
        return [(role, names[0]) for role, names in sorted(found.items()) if names]


def on_server(state: StackState, recorded: Made, going: Made | None) -> OnServer:
    """Read the policies and AppRoles of the server of a stack, as far as the token may read them.

    Args:
        recorded: what all stacks of the program made.
        going: what a destruction will delete, of all its stacks; None for a deployment.
    """
    named, new = state.wanted.union(state.former), state.wanted.minus(recorded)
    known = going is not None and any((state.former.engines, state.former.auth_methods, state.former.keys))
    # What a lost record made may have left the program.
    lost = going is None and state.record is None and bool(state.wanted)
    if not (named.policies or named.roles or new.keys or new.engines or new.auth_methods or known or lost):
        return OnServer()
    chosen = collection.settings(state.stack.url, state.stack.namespace)
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied

    methods = sorted({role.rpartition("/")[0] for role in named.roles})
    with collection.in_plain_words(), session.connected(chosen, lambda _message: None) as client:
        found = _found(client, state, presence.there(client, new), going)
        if not (named.policies or named.roles or lost):
            return found
        try:
            found = replace(found, owners=dict(_owners(client)))
        except PermissionDenied:
            return replace(found, unread="policies")
        try:
            roles = dict(_roles(client, methods))
        except PermissionDenied:
            return replace(found, unread="AppRoles")
    return replace(found, roles=roles, there=found.there.union(Made(roles=new.roles & roles.keys())))


def _found(client: Client, state: StackState, there: Made, going: Made | None) -> OnServer:
    """Return what the server says of engines, auth methods and keys."""
    if going is None:
        return OnServer(there=there, claims=claims(client, state, there))
    shared = presence.shared(client, state.former, going)
    return OnServer(there=there, shared=shared, deletable=presence.deletable(client, state.former.keys | there.keys))


def _owners(client: Client) -> Iterator[tuple[str, Owner]]:
    for name in _listed(client, "sys/policies/acl"):
        # No stack makes one of another name, and a comment can be copied.
        if name in ("root", "default") or path_problem(name):
            continue
        text = str(client.get(f"sys/policies/acl/{name}").data.get("policy", ""))
        if (found := _MARK.match(text)) is not None:
            yield name, Owner(found[1], found[2], found[3])


def _roles(client: Client, methods: list[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for method in methods:
        for name in _listed(client, f"auth/{method}/role"):
            found = client.get(f"auth/{method}/role/{name}").data.get("token_policies") or ()
            yield f"{method}/{name}", frozenset(map(str, found))


def _listed(client: Client, path: str) -> list[str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import MountNotFound, NotFound

    try:
        return [str(name) for name in client.list(path).data.get("keys") or ()]
    except (NotFound, MountNotFound):
        return []


def check_roles(state: StackState, found: OnServer, ours: Collection[str], *, adopt: bool) -> None:
    """Check that no AppRole of a stack is somebody else's. A server does not say whose it is: a record does.

    Args:
        ours: owners of all stacks of the program.

    Raises:
        MlkeysError: one is.
    """
    known = {name for name, owner in found.owners.items() if owner.id in ours}
    others = sorted(role for role in found.there.roles if not found.roles[role] & known)
    if others and not adopt:
        raise MlkeysError(
            f"Nothing was changed: the AppRole {others[0]} is on the server already, and {state.folder.parent.name}/"
            f"{state.name} does not have it. Give it another name. If it is yours, restore that folder from version "
            "control, or take the AppRole over with --adopt."
        )


def check_owners(state: StackState, found: OnServer, ours: Collection[str], *, adopt: bool) -> Owner | None:
    """Check that no policy of a stack belongs to another program. Return the owner to take over, None if there is none.

    Args:
        ours: owners of all stacks of the program.

    Raises:
        MlkeysError: one does.
    """
    own = state.record.owner if state.record is not None else None
    others = {name: found.owners[name] for name in sorted(state.wanted.policies & frozenset(found.owners))}
    others = {name: owner for name, owner in others.items() if owner.id not in ours}
    if not others:
        return None
    name, owner = next(iter(others.items()))
    if own is None and len({other.id for other in others.values()}) == 1 and adopt:
        return owner
    advice = (
        f"If that is this program, restore {state.folder.parent.name}/{state.name} from version control, or take over "
        "what it made with --adopt."
        if own is None
        else f"This is owner {own}, as its record says. If another clone of this program made the policy, use "
        f"{state.folder.parent.name}/{state.name} of that clone. If not, give the policy, or the AppRole that it "
        "belongs to, another name."
    )
    raise MlkeysError(
        f"Nothing was changed: the policy {name} on the server belongs to program {owner.program}, stack "
        f"{owner.stack}, owner {owner.id}. {advice}"
    )


def say_orphans(state: StackState, found: OnServer, ours: Collection[str]) -> None:
    """Name policies of a stack of this name whose record is lost, or is elsewhere. They look the same.

    Args:
        ours: owners of all stacks of the program.
    """
    if state.record is not None:
        return
    by_owner: dict[str, list[str]] = {}
    for name, owner in sorted(found.owners.items()):
        if (owner.program, owner.stack) == (state.program, state.name) and owner.id not in ours:
            by_owner.setdefault(owner.id, []).append(name)
    folder = state.folder.parent.name
    for owner_id, names in by_owner.items():
        click.echo(
            f"Note: the policies {', '.join(names)} on the server are of a program {state.program}, stack "
            f"{state.name}, owner {owner_id}, and {folder} has no record of that. If it is this program, restore "
            f"{folder}/{state.name} from version control. If nobody has it any more, delete them: bao policy delete "
            f"{names[0]}",
            err=True,
        )


def say_adopted(owners: Iterable[Owner | None], verb: str) -> None:
    """Say whose objects a command takes over, once nothing stands against it any more."""
    for owner in owners:
        if owner is not None:
            made = f"what program {owner.program}, stack {owner.stack}, owner {owner.id}, made on the server"
            click.echo(f"{verb} {made}.", err=True)
