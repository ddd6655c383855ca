# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which stacks have their keys on the same server, however each names it, and whether it is that of their records."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlkeys._commands.deployment.state import record_in
from mlkeys._commands.paths import program_words
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Stack
from mlkeys._system import collection
from mlkeys._targets.state_names import FOLDER

#: Where a playbook of a program finds what its stack does not set, the first one first.
_ADDRESS = ("ANSIBLE_HASHI_VAULT_ADDR", "BAO_AGENT_ADDR", "VAULT_AGENT_ADDR", "BAO_ADDR", "VAULT_ADDR")
_NAMESPACE = ("ANSIBLE_HASHI_VAULT_NAMESPACE", "BAO_NAMESPACE", "VAULT_NAMESPACE")

#: A server, as its address or its cluster, and a namespace.
Server = tuple[str, str]


def server_of(stack: Stack, environ: Mapping[str, str] = os.environ) -> Server:
    """The address and namespace that a playbook of the stack uses."""
    url = stack.url or _first(_ADDRESS, environ)
    namespace = _first(_NAMESPACE, environ) if stack.namespace is None else stack.namespace
    return ",".join(_plain(address) for address in url.split(",")), namespace.strip("/")


def _first(names: tuple[str, ...], environ: Mapping[str, str]) -> str:
    return next((value for name in names if (value := environ.get(name, ""))), "")


def _plain(address: str) -> str:
    """An address without what makes no difference."""
    address = address.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return address
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path}" if parts.hostname and port else address


def cluster_at(server: Server) -> str:
    """The cluster that answers at an address; empty if that is not known."""
    try:
        settings = collection.settings(url=server[0], namespace="")
    except MlkeysError:
        return ""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

    try:
        return str(collection.health(settings.connection).get("cluster_id") or "")
    except TransitError:
        return ""


def is_another(recorded: str | None, found: str) -> bool:
    """Whether a server is known to be another one than a record names.

    Args:
        found: the cluster of the server; empty if that is not known.
    """
    return recorded is not None and found not in ("", recorded)


def check_recorded(stacks: Mapping[Path, Server]) -> None:
    """Check that stacks have their keys on the servers that their records name.

    Args:
        stacks: their servers, by the folders of their ciphertexts and records.

    Raises:
        MlkeysError: one goes to another server, or a record cannot be read.
    """
    clusters: dict[str, str] = {}
    for folder, (address, _) in stacks.items():
        record = record_in(folder)
        if record is None or record.server is None:
            continue
        if address not in clusters:
            clusters[address] = cluster_at((address, ""))
        if is_another(record.server, clusters[address]):
            # The stacks may be those of several programs.
            program = program_words(Path(os.path.relpath(folder.parent.parent / record.program)))
            raise MlkeysError(
                f"Nothing was changed: {another_server(folder.name, address)} If this server has taken the place of "
                f"the other one, with its keys: {shlex.join(['mlkeys', 'deploy', '--adopt', *program])}"
            )


def another_server(stack: str, address: str) -> str:
    """What is wrong with a stack that goes to another server than its record names."""
    return (
        f"{FOLDER}/{stack} belongs to another server than {address}, which cannot decrypt its ciphertexts. Check the "
        "address of the server."
    )


def same_servers(servers: Mapping[str, Server], cluster: Callable[[Server], str] = cluster_at) -> dict[str, Server]:
    """The servers of fleets, by their names. Those that have two addresses get one name.

    Args:
        cluster: asks an address for its cluster. It is not asked if there is only one address.
    """
    addresses = dict.fromkeys(address for address, _ in servers.values())
    if len(addresses) < 2:
        return dict(servers)
    known = {address: cluster((address, "")) if address else "" for address in addresses}
    return {name: (known[address] or address, namespace) for name, (address, namespace) in servers.items()}
