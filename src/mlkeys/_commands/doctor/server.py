# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The server, the login and the token's rights, through the collection's client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlkeys._analysis.view import View
from mlkeys._commands.doctor.check import Check
from mlkeys._commands.doctor.rights import dangers_of, needs_of, verdicts
from mlkeys._model.stack import Stack, root_of
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

# Seconds.
_SOON = 600
_CLOCKS_DIFFER = 60


def checks_of(chosen: Settings, stacks: Sequence[Stack]) -> Iterator[Check]:
    """The server of some stacks: whether it answers, accepts the login, and allows what the stacks need."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

    members = list(_members(chosen.connection))
    yield from members
    if all(check.level == "wrong" for check in members if check.name == "server"):
        yield from _stored(chosen)
        return
    try:
        with session.connected(chosen, lambda _message: None) as client:
            yield from _login(client, chosen.auth)
            for stack in stacks:
                yield from _rights(client, stack)
    except TransitError as error:
        yield Check("login", "wrong", error.message)


def files(settings: Settings) -> Iterator[Check]:
    """What is wrong with the files of TLS, and with what a login reads, without a server."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
        check_files,
        with_authorities,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

    try:
        check_files(with_authorities(settings.connection))
    except InvalidOption as error:
        yield Check("settings", "wrong", error.message)
    yield from _stored(settings)


def _stored(settings: Settings) -> Iterator[Check]:
    """What is wrong with the place of the token that a login needs."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import check_stored
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

    try:
        check_stored(settings.auth, settings.connection.url)
    except InvalidOption as error:
        yield Check("login", "wrong", error.message)


def _members(connection: Connection) -> Iterator[Check]:
    """The CA certificates that are left out, and each address, without a login."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
        damaged_authorities,
        with_authorities,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError

    try:
        for said in damaged_authorities(with_authorities(connection)):
            yield Check("CA certificates", "remark", said.rstrip("."), "Replace them if a server cannot be verified.")
    except InvalidOption:
        # The requests say why.
        pass
    silent, found = [], []
    for address in connection.addresses:
        try:
            health = collection.health(replace(connection, url=address))
        except TransitError as error:
            silent.append((address, error.message))
            continue
        found.append(server_state(health))
        if (check := clock(health, time.time())) is not None:
            found.append(check)
    serves = any((check.name, check.level) == ("server", "ok") for check in found)
    for address, problem in silent:
        if serves and _go_on(connection, address):
            yield Check("server", "remark", problem, _GO_ON)
        else:
            yield Check("server", "wrong", collection.with_way_to_a_server(problem))
    yield from found


_GO_ON = "Commands go on with the next address. Start this server, or remove its address from url."


def _go_on(connection: Connection, address: str) -> bool:
    """Whether commands use another address where this one does not answer. After some failures of TLS they do not."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

    place = connection.addresses.index(address)
    others = [*connection.addresses[place:], *connection.addresses[:place]]
    try:
        collection.health(replace(connection, url=",".join(others)))
    except TransitError:
        return False
    return True


def server_state(health: Mapping[str, Any]) -> Check:
    """The state that a server reports."""
    version = str(health.get("version") or "of an unknown version")
    if not health.get("initialized"):
        return Check("server", "wrong", f"{version}, not initialised", "bao operator init, or vault operator init")
    if health.get("sealed"):
        return Check("server", "wrong", f"{version}, sealed", "bao operator unseal, or vault operator unseal")
    standby = health.get("standby") or health.get("performance_standby")
    return Check("server", "ok", f"{version}, {'standby' if standby else 'active'}")


def clock(health: Mapping[str, Any], now: float) -> Check | None:
    """Whether the server's clock agrees with ours; None if the server does not report its time."""
    theirs = health.get("server_time_utc")
    if not isinstance(theirs, int):
        return None
    ahead = round(now - theirs)
    if abs(ahead) <= _CLOCKS_DIFFER:
        return Check("clock", "ok", "agrees with the server's")
    found = f"{abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    return Check(
        "clock",
        "remark",
        found,
        "Tokens, certificates and JWTs may seem expired or not yet valid. Synchronise the clocks.",
    )


def _login(client: Client, auth: Auth) -> Iterator[Check]:
    """The identity that the server sees."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied

    # With the method none, the token is that of an agent or a proxy, if it adds one.
    try:
        token = client.get("auth/token/lookup-self").data
    except PermissionDenied:
        yield Check("login", "ok", f"{auth.method}; the token may not look up itself")
        return
    yield from token_state(token, auth.method)


def token_state(token: Mapping[str, Any], method: str) -> Iterator[Check]:
    """A token's policies, its lifetime, and its limits."""
    policies = sorted(token.get("policies") or ())
    seconds = int(token.get("ttl") or 0)
    life = f"expires in {seconds} s" if seconds else "does not expire"
    yield Check("login", "ok", f"{method}; policies {', '.join(policies)}; {life}")
    if "root" in policies:
        yield Check("login", "remark", "root: it may do everything", "Use a token with fewer rights for deployments.")
    # A token from a login is renewed, or replaced by a new login.
    if method == "token" and 0 < seconds < _SOON:
        yield Check(
            "login", "remark", f"the token expires in {seconds} s", "A run may take longer: renew it, or log in again."
        )
    if uses := int(token.get("num_uses") or 0):
        found = f"the token can be used {uses} more times"
        yield Check("login", "remark", found, "Each request counts as a use, and a run makes many.")


def _rights(client: Client, stack: Stack) -> Iterator[Check]:
    view = View(root_of(stack))
    dangers = dangers_of(view, stack)
    found = needs_of(view, stack)
    needs = [need for need in found if not need.tuning or _tunes(client, need.path.removesuffix("/tune"), need.tuning)]
    paths = sorted({need.path for need in needs} | set(dangers))
    if not paths:
        return
    capabilities = client.capabilities(paths)
    if capabilities is None:
        denied = "the token may not query its own capabilities"
        yield Check("rights", "remark", denied, "The policy 'default' allows it.", stack.node.id)
        return
    granted = {path: frozenset(found) for path, found in capabilities.items()}
    present = {need.path: _is_there(client, need.path) for need in needs if need.to_make}
    yield from verdicts(needs, dangers, granted, present, stack.node.id)


def _tunes(client: Client, path: str, wanted: Mapping[str, object]) -> bool:
    """Whether an engine exists, and a deployment changes its attributes."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        ChangeImpossible,
        ServerError,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend_plan import plan_mount

    try:
        actual = client.get(path).data
        return bool(plan_mount(path, wanted, actual, upsert_disabled=None, cache_size=None).tune)
    except (ServerError, ChangeImpossible):
        return False


def _is_there(client: Client, path: str) -> bool:
    """Whether an object exists. An unreadable one counts as missing."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError

    try:
        client.request("GET", path)
    except ServerError:
        return False
    return True
