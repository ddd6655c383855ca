# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Keys as they are, with the ages and public keys of their versions. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import published_keys
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import public_pem
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import key_state
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import creation_times, timestamp


@dataclass(frozen=True)
class KeyInfoRequest:
    """Which keys to read: the options of ``vault_transit_key_info``, checked.

    Attributes:
        backend: where the engine is mounted.
        name: the one key, empty for all keys of the engine.
        context: which public keys to show of derived key pairs.
        updates: paths of the engine that the token may have to update.
    """

    backend: str
    name: str = ""
    context: str = ""
    updates: Sequence[str] = ()


def key_info_request(options: Mapping[str, Any]) -> KeyInfoRequest:
    """The request that the options of ``vault_transit_key_info`` make.

    Raises:
        InvalidOption: a key cannot have this name.
    """
    name, context, updates = options.get("name"), options.get("context"), options.get("updates")
    return KeyInfoRequest(options["backend"], checked_name(name) if name else "", context or "", tuple(updates or ()))


def key_info(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """One key, or all of an engine, with the ages and public keys of their versions."""
    request = key_info_request(options)
    transit = Transit(client, request.backend)
    names = [request.name] if request.name else transit.key_names()
    found = [transit.read_key(name, context=request.context) for name in names]
    infos = [{"backend": transit.backend, **_details(actual, run.now)} for actual in found if actual is not None]
    return Outcome(changed=False, result={"transit_keys": infos, "denied": transit.denied(request.updates)})


def _details(actual: Mapping[str, Any], now: float) -> dict[str, Any]:
    created, published = creation_times(actual), published_keys(actual)
    versions = [
        {
            "version": version,
            "creation_time": timestamp(created_at),
            "age_seconds": max(0, int(now - created_at)),
            **({"public_key": public_pem(published[version])} if version in published else {}),
        }
        for version, created_at in sorted(created.items())
    ]
    details = {
        name: value
        for name, value in actual.items()
        if name.startswith("supports_") or name in ("imported_key", "soft_deleted", "kdf")
    }
    return {**key_state(actual), **details, "versions": versions}
