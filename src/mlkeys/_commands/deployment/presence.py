# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a server has before a deployment: who made it keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

from mlkeys._record.record import Made

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

_Found = TypeVar("_Found")


def there(client: Client, wanted: Made) -> Made:
    """Return which of these keys, engines and auth methods the server has."""
    return Made(
        keys=wanted.keys & _keys(client, wanted.keys),
        engines=frozenset(path for path in wanted.engines if _is_mounted(client, path)),
        auth_methods=frozenset(path for path in wanted.auth_methods if _is_enabled(client, path)),
    )


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
