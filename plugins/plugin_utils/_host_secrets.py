# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secrets the services of hosts need, by what their variables say. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._errors import InvalidOption

SERVICES = "vault_transit_host_services"
APPROLE = "vault_transit_host_approle"
BACKEND = "vault_transit_host_backend"
KEY = "vault_transit_host_key"

# With this one Ansible decrypts, and the host needs no right to.
PLAINTEXT = "plaintext"

# A mapping with this single entry stands for a secret, wherever a value can stand.
SECRET = "secret"


def is_secret(value: Any) -> bool:
    """Whether a value in a file's content stands for a secret: ``{secret: NAME}``."""
    return isinstance(value, Mapping) and list(value) == [SECRET] and isinstance(value[SECRET], str)


def secrets_of(service: Mapping[str, Any]) -> list[str]:
    """Names of the secrets that a service needs, sorted."""
    found = {str(name) for name in (service.get("environment") or {}).values()}
    for file in service.get("files") or ():
        found.update(_named_in(file.get("content")))
    return sorted(found)


def _named_in(content: Any) -> Iterator[str]:
    if is_secret(content):
        yield content[SECRET]
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _named_in(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _named_in(value)


def grants_by_role(hosts: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What each AppRole has to be granted so that its hosts can decrypt what their services name, and nothing else.

    Args:
        hosts: the variables of each host.

    Raises:
        InvalidOption: a host does not say enough.
    """
    needed: dict[str, dict[tuple[str, str], set[str]]] = {}
    for variables in hosts:
        role = variables.get(APPROLE)
        if not role:
            continue
        for service in variables.get(SERVICES) or ():
            if service.get("mode") == PLAINTEXT or service.get("state") == "absent":
                continue
            place = (
                _said(service, variables, "backend", BACKEND, "transit"),
                _said(service, variables, "key", KEY, ""),
            )
            if not place[1]:
                raise InvalidOption(
                    f"The service '{service.get('name')}' of the host '{variables.get('inventory_hostname')}' names no "
                    f"key: set {KEY}."
                )
            needed.setdefault(str(role), {}).setdefault(place, set()).update(secrets_of(service))
    return {role: _grants(places) for role, places in sorted(needed.items())}


def _said(service: Mapping[str, Any], variables: Mapping[str, Any], name: str, variable: str, default: str) -> str:
    return str(service.get(name) or variables.get(variable) or default)


def _grants(places: Mapping[tuple[str, str], set[str]]) -> list[dict[str, Any]]:
    return [
        {"backend": backend, "key": key, "allow": ["decrypt"], "secrets": sorted(secrets)}
        for (backend, key), secrets in sorted(places.items())
        if secrets
    ]
