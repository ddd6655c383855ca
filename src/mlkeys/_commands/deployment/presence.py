# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a server has before a deployment: whether it is the one of the record, and what somebody else made there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

from mlkeys._commands.deployment.state import StackState
from mlkeys._commands.fleet.servers import another_server, cluster_at, is_another, server_of
from mlkeys._commands.paths import command_line
from mlkeys._devserver.server import TEMPORARY_SERVER
from mlkeys._errors import MlkeysError
from mlkeys._record.record import Made
from mlkeys._system import collection
from mlkeys._targets.state_names import FOLDER, vars_file_of

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

_Found = TypeVar("_Found")


def check_server(state: StackState, *, adopt: bool) -> None:
    """Check that a stack goes to the server that its record names. Ciphertexts belong to the server that made them.

    Args:
        adopt: whether another server has taken its place.

    Raises:
        MlkeysError: it goes to another one.
    """
    former = state.record.server if state.record is not None else None
    address = server_of(state.stack)
    found = cluster_at(address) or None
    if is_another(former, found or "") and not adopt:
        raise MlkeysError(
            f"Nothing was changed: {another_server(state.name, address[0])} To try the program here, copy it without "
            f"the folder {FOLDER}. If this server has taken the place of the other one, with its keys, give --adopt."
        )
    # A record of a server that ends with its command would only refuse the next one.
    is_temporary = os.environ.get(TEMPORARY_SERVER) == address[0]
    state.server = former if found is None else None if is_temporary and former is None else found


def check_keys(state: StackState, generate: Collection[str]) -> None:
    """Check that the server has the keys of stored random secrets, before it gets new ones of their names.

    Args:
        generate: names of secrets to make again.

    Raises:
        MlkeysError: it does not have one.
    """
    stored = state.stored()
    held = {
        key: names
        for key, all_names in state.wanted.random().items()
        if (names := sorted(all_names & stored.get(key, frozenset())))
    }
    gone = _gone(state, held) if held else []
    for key in gone:
        if lost := [name for name in held[key] if name not in generate]:
            # Importing the target takes longer than most commands.
            from mlkeys._targets.ansible.lost import key_is_gone

            file = f"{FOLDER}/{state.name}/{vars_file_of(*key.rsplit('/', 1))}"
            # Those of the first attempt are needed again.
            named = [word for name in held[key] for word in ("--generate", name)]
            command = command_line("deploy", *named)
            raise MlkeysError(f"Nothing was changed: {key_is_gone(key, file, lost)}{command}")
    state.void = frozenset(gone)


def _gone(state: StackState, keys: Collection[str]) -> list[str]:
    """Return the keys that the server of a stack does not have."""
    chosen = collection.settings(state.stack.url, state.stack.namespace)
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        MountNotFound,
        PermissionDenied,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    def is_gone(client: Client, key: str) -> bool:
        engine, _, name = key.rpartition("/")
        try:
            return Transit(client, engine).read_key(name) is None
        except MountNotFound:
            return True
        except PermissionDenied:
            # The playbook needs it, and says so.
            return False

    with collection.in_plain_words(), session.connected(chosen, lambda _message: None) as client:
        return [key for key in keys if is_gone(client, key)]


def there(client: Client, wanted: Made) -> Made:
    """Return which of these keys, engines and auth methods the server has."""
    return Made(
        keys=wanted.keys & _keys(client, wanted.keys),
        engines=frozenset(path for path in wanted.engines if _is_mounted(client, path)),
        auth_methods=frozenset(path for path in wanted.auth_methods if _is_enabled(client, path)),
    )


LOCKED, GONE, FREE = "locked", "gone", "free"


def deletable(client: Client, keys: Collection[str]) -> dict[str, str]:
    """Return what stands against the deletion of keys: one of the constants for each.

    One is locked if it does not allow deletion or the token may not read it, and gone if the server does not have it.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        MountNotFound,
        PermissionDenied,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    def state_of(key: str) -> str:
        engine, _, name = key.rpartition("/")
        try:
            found = Transit(client, engine).read_key(name)
        except MountNotFound:
            return GONE
        except PermissionDenied:
            return LOCKED
        return GONE if found is None else FREE if found.get("deletion_allowed") else LOCKED

    return {key: state_of(key) for key in sorted(keys)}


def shared(client: Client, made: Made, going: Made) -> Made:
    """Return the engines and auth methods with keys and roles besides those that will be deleted."""
    return Made(
        engines=frozenset(path for path in made.engines if _others(path, _key_names(client, path), going.keys)),
        auth_methods=frozenset(path for path in made.auth_methods if _others(path, _roles(client, path), going.roles)),
    )


def _others(path: str, names: Sequence[str], made: Collection[str]) -> bool:
    return any(f"{path}/{name}" not in made for name in names)


def _keys(client: Client, wanted: Collection[str]) -> frozenset[str]:
    engines = {key.rpartition("/")[0] for key in wanted}
    return frozenset(f"{engine}/{name}" for engine in engines for name in _key_names(client, engine))


def _key_names(client: Client, engine: str) -> Sequence[str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    return _if_any(Transit(client, engine).key_names, ())


def _is_mounted(client: Client, path: str) -> bool:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    mount = _if_any(Transit(client, path).mount, None)
    return mount is not None and mount.get("type") == "transit"


def _is_enabled(client: Client, path: str) -> bool:
    from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles

    return _if_any(AppRoles(client, path).mount, None) is not None


def _roles(client: Client, path: str) -> Sequence[str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles

    return _if_any(AppRoles(client, path).names, ())


def _if_any(ask: Callable[[], _Found], nothing: _Found) -> _Found:
    """Return what the server says, nothing where it has or shows nothing."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        MountNotFound,
        NotFound,
        PermissionDenied,
    )

    try:
        return ask()
    except (MountNotFound, NotFound, PermissionDenied):
        return nothing
