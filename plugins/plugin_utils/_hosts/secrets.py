# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secrets the services of hosts need, derived from their variables. Pure. **Private** to the collection."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import REWRAPPED
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    VarsFile,
    interpret,
    plain_names_problem,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import way_down

SERVICES = "vault_transit_host_services"
APPROLE = "vault_transit_host_approle"
AUTH_METHOD, AUTH_ROLE = "vault_transit_host_auth_method", "vault_transit_host_auth_role"
NAMESPACE, AUTH_NAMESPACE = "vault_transit_host_namespace", "vault_transit_host_auth_namespace"
BACKEND = "vault_transit_host_backend"
KEY = "vault_transit_host_key"

# In this mode Ansible decrypts, and the host needs no right to.
PLAINTEXT = "plaintext"

# A mapping with only this entry stands for a secret, wherever a value can stand.
SECRET = "secret"


def is_secret(value: Any) -> bool:
    """Whether a value in a file's content stands for a secret: ``{secret: NAME}``."""
    return isinstance(value, Mapping) and list(value) == [SECRET] and isinstance(value[SECRET], str)


def secrets_of(service: Mapping[str, Any]) -> list[str]:
    """Names of the secrets that a service needs, sorted."""
    found = {str(name) for name in (service.get("environment") or {}).values()}
    for file in service.get("files") or ():
        found.update(names_in(file.get("content")))
    return sorted(found)


def names_in(content: Any) -> list[str]:
    """Names of the secrets in a file's content, sorted."""
    return sorted(set(_named_in(content)))


def _named_in(content: Any) -> Iterator[str]:
    if is_secret(content):
        yield content[SECRET]
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _named_in(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _named_in(value)


@dataclass(frozen=True)
class Sealed:
    """A secret as a host gets it.

    Attributes:
        origin: identifies the value. A rewrapped ciphertext has the same one. Empty if there is no ciphertext yet.
        predicted: whether a text stands for a ciphertext that does not exist yet.
    """

    name: str
    ciphertext: str
    backend: str
    key: str
    predicted: bool = False
    origin: str = ""

    @property
    def context(self) -> str:
        """The context that decryption needs, in base64. A key that is not derived ignores it."""
        return base64.b64encode(self.name.encode("utf-8")).decode("ascii")


def encrypted_files(documents: Iterable[Mapping[str, Any]]) -> list[VarsFile]:
    """Parse encrypted vars files that Ansible has read: the ``path`` of each, and its ``content``.

    Raises:
        InvalidOption: one of them is not an encrypted vars file.
    """
    return [interpret(dict(document["content"]), str(document["path"])) for document in documents]


def sealed(name: str, files: Sequence[VarsFile], backend: str, key: str, *, predicted: bool) -> Sealed:
    """Find a secret by its name, in the last of the files that have it.

    Args:
        backend: the engine that the host's policy is for.
        key: the key that it is for.
        predicted: whether a text stands for a ciphertext that does not exist yet.

    Raises:
        InvalidOption: no file has it, it is not ciphertext, or another key encrypted it. The text shows no value.
    """
    for file in reversed(files):
        if name in file.plain:
            raise InvalidOption(plain_names_problem([name], file.path).rstrip("."))
        if name in file.entries:
            _check_key(name, file, backend, key)
            entry = file.entries[name]
            return Sealed(name, entry.ciphertext, backend, key, origin=entry.origin)
    if predicted:
        return Sealed(name, _placeholder(name), backend, key, predicted=True)
    searched = ", ".join(file.path for file in files)
    known = [entry for file in files for entry in file.entries]
    where = f"is not in {searched}" if searched else "is in no file: vault_transit_host_vars_files is empty"
    raise InvalidOption(f"the secret '{name}' {where}{did_you_mean(name, known).rstrip('.')}")


def renewed(secret: Sealed, action: str) -> Sealed:
    """A secret whose ciphertext will be another one.

    Args:
        action: what `mlkeys.transit.vault_transit_vars` does to it.
    """
    found = replace(secret, ciphertext=_placeholder(secret.name))
    return found if action == REWRAPPED else replace(found, predicted=True, origin="")


def _placeholder(name: str) -> str:
    return f"(new ciphertext of {name})"


def _check_key(name: str, file: VarsFile, backend: str, key: str) -> None:
    written = (file.backend or backend, file.key or key)
    if written != (backend, key):
        raise InvalidOption(
            f"the secret '{name}' of {file.path} was encrypted with the key '{written[1]}' of '{written[0]}', but the "
            f"host's variables, and with them its policy, name the key '{key}' of '{backend}'"
        )


def role_of(variables: Mapping[str, Any]) -> str:
    """The AppRole that a host logs in as, or the role of another auth method; empty for none."""
    method = str(variables.get(AUTH_METHOD) or "approle")
    return str(variables.get(APPROLE if method == "approle" else AUTH_ROLE) or "")


def grants_by_role(hosts: Iterable[Mapping[str, Any]], namespace: str = "") -> dict[str, list[dict[str, Any]]]:
    """The grants by which the hosts of each role can decrypt what their services name, and nothing else.

    Args:
        hosts: the variables of each host.
        namespace: that of hosts whose variables name none.

    Raises:
        InvalidOption: a service names no key.
    """
    needed: dict[str, dict[tuple[str, str], set[str]]] = {}
    for variables in hosts:
        role = role_of(variables)
        if not role:
            continue
        prefix = way_down(str(variables.get(AUTH_NAMESPACE) or ""), str(variables.get(NAMESPACE) or namespace))
        for service in variables.get(SERVICES) or ():
            if service.get("mode") == PLAINTEXT or service.get("state") == "absent":
                continue
            place = (
                prefix + _setting(service, variables, "backend", BACKEND, "transit"),
                _setting(service, variables, "key", KEY, ""),
            )
            if not place[1]:
                raise InvalidOption(
                    f"The service '{service.get('name')}' of the host '{variables.get('inventory_hostname')}' names no "
                    f"key: set {KEY}."
                )
            needed.setdefault(role, {}).setdefault(place, set()).update(secrets_of(service))
    return {role: _grants(places) for role, places in sorted(needed.items())}


def _setting(service: Mapping[str, Any], variables: Mapping[str, Any], name: str, variable: str, default: str) -> str:
    return str(service.get(name) or variables.get(variable) or default)


def _grants(places: Mapping[tuple[str, str], set[str]]) -> list[dict[str, Any]]:
    return [
        {"backend": backend, "key": key, "allow": ["decrypt"], "secrets": sorted(secrets)}
        for (backend, key), secrets in sorted(places.items())
        if secrets
    ]
