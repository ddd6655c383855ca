# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the agent of a host reaches its server and logs in. Pure. **Private** to the collection.

The names of settings are those of the agent: https://openbao.org/docs/agent-and-proxy/autoauth/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import (
    addresses_of,
    problems_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.hcl import (
    APPROLE,
    METHODS,
    TOKEN_FILE,
    attributes,
    block,
    problems_of_method,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import VARIABLE_NAME

_SECRET_VARIABLE = re.compile(r"(?:TOKEN|SECRET|SECRET_ACCESS_KEY|PASSWORD)$")

# An agent logs in with these texts, and then waits forever: what decrypts in it knows files alone.
_TEXTS = re.compile(r"(?:BAO|VAULT)_CLIENT_(?:CERT|KEY)_BYTES")

# The file of `ca_cert_bytes` in the folder of a service.
AUTHORITIES = "ca.pem"
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Access:
    """Where the server is, and what agents of a host log in as.

    Attributes:
        ca_cert_bytes: CA certificates as PEM text, for a file on the host; ``ca_cert`` wins.
        secret_id_kept: whether the host keeps a secret ID. Otherwise it gets a wrapping token, which the agent uses up.
        auth_path: where the auth method is mounted, if it is not AppRole.
        auth_namespace: that of the auth method: ``namespace`` or one above it, by default ``namespace``; ``/`` is the
            root namespace.
        auth_config: settings of the method.
        agent_environment: variables of the agent.
    """

    url: str = ""
    approle: str = ""
    approle_path: str = "approle"
    secret_id_kept: bool = True
    namespace: str = ""
    ca_cert: str = ""
    ca_cert_bytes: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    auth_method: str = APPROLE
    auth_path: str = ""
    auth_role: str = ""
    auth_namespace: str = ""
    auth_config: Mapping[str, Any] = field(default_factory=dict)
    agent_environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Login(Access):
    """How the agent of one service logs in.

    Attributes:
        folder: on the host, with the files that it logs in with.
        runtime: the folder in memory for the token, which is revoked once the agent has ended.
    """

    folder: str = ""
    runtime: str = ""

    @property
    def address(self) -> str:
        """As the agent reads it; empty if there is none, or more than one."""
        found = addresses_of(self.url)
        return found[0] if len(found) == 1 else ""

    @property
    def authorities(self) -> str:
        """The file with the CA certificates, empty if there is none."""
        return self.ca_cert or (f"{self.folder}/{AUTHORITIES}" if self.ca_cert_bytes else "")

    @property
    def own_namespace(self) -> str:
        """That of the login."""
        return (self.auth_namespace or self.namespace).strip("/")

    @property
    def prefix(self) -> str:
        return way_down(self.auth_namespace, self.namespace)


def way_down(auth_namespace: str, namespace: str) -> str:
    """What leads from the namespace of the login to that of the engine. The agent and policies have one for both."""
    rest = namespace.strip("/")[len(auth_namespace.strip("/")) :].strip("/") if auth_namespace else ""
    return f"{rest}/" if rest else ""


def server(login: Login) -> str:
    """The block of the server."""
    names = ("ca_path", "client_cert", "client_key", "tls_server_name")
    given = {"ca_cert": login.authorities, **{name: getattr(login, name) for name in names}}
    return block("vault", attributes({"address": login.address, **{name: one for name, one in given.items() if one}}))


def auth(login: Login) -> str:
    """The block of the login."""
    path, config = _of_approle(login) if login.auth_method == APPROLE else _of_method(login)
    method: dict[str, Any] = {"type": login.auth_method}
    if path:
        method["mount_path"] = f"auth/{path}"
    if login.own_namespace:
        method["namespace"] = login.own_namespace
    method["exit_on_err"] = True
    sink = block('sink "file"', block("config =", attributes({"path": f"{login.runtime}/token"})))
    return block("auto_auth", block("method", attributes(method), block("config =", attributes(config))), sink)


def _of_approle(login: Login) -> tuple[str, dict[str, Any]]:
    path = login.approle_path.strip("/")
    config: dict[str, Any] = {"role_id_file_path": f"{login.folder}/role_id"}
    if login.secret_id_kept:
        config["secret_id_file_path"] = f"{login.folder}/secret_id"
    else:
        config["secret_id_file_path"] = f"{login.folder}/once/wrapping_token"
        config["secret_id_response_wrapping_path"] = f"auth/{path}/role/{login.approle}/secret-id"
    config["remove_secret_id_file_after_reading"] = not login.secret_id_kept
    return path, config


def _of_method(login: Login) -> tuple[str, dict[str, Any]]:
    method = METHODS[login.auth_method]
    role = {method.role: login.auth_role} if method.role and login.auth_role else {}
    # A file with a token logs in nowhere.
    path = login.auth_path.strip("/") or login.auth_method if login.auth_method != TOKEN_FILE else ""
    return path, {**role, **method.fixed, **login.auth_config}


def problems(login: Login) -> Iterator[str]:
    """What is wrong with the settings of a login."""
    yield from _problems_of_server(login)
    if bool(login.client_cert) != bool(login.client_key):
        yield "vault_transit_host_client_cert and vault_transit_host_client_key must be set together"
    own, wanted = login.own_namespace, login.namespace.strip("/")
    if own and not f"{wanted}/".startswith(f"{own}/"):
        yield (
            f"a token of the namespace '{own}' is not valid in '{wanted}': vault_transit_host_auth_namespace must be "
            "vault_transit_host_namespace, or one above it"
        )
    for name in login.agent_environment:
        if problem := _problem_of_variable(name):
            yield f"vault_transit_host_agent_environment: {problem}"
    if login.auth_method == APPROLE:
        if not login.approle:
            yield (
                "its agent needs an AppRole to log in as: set vault_transit_host_approle, or "
                "vault_transit_host_auth_method"
            )
        return
    yield from problems_of_method(
        "vault_transit_host_",
        login.auth_method,
        login.auth_role,
        login.auth_config,
        certificate=bool(login.client_cert),
    )


def _problems_of_server(login: Login) -> Iterator[str]:
    addresses = addresses_of(login.url)
    if not addresses:
        yield "its agent needs the server's address: set vault_transit_host_url"
    elif len(addresses) > 1:
        yield f"vault_transit_host_url must be one address, and not {len(addresses)}"
    else:
        yield from (f"vault_transit_host_{problem}" for problem in problems_of(addresses))
    if not f"{login.namespace}{login.auth_namespace}".isprintable():
        yield "vault_transit_host_namespace and vault_transit_host_auth_namespace must be text without a line break"
    if login.ca_cert_bytes and not login.ca_cert and _CERTIFICATE not in login.ca_cert_bytes:
        yield "vault_transit_host_ca_cert_bytes is not a text of PEM certificates"
    if "PRIVATE KEY-----" in login.ca_cert_bytes:
        yield "vault_transit_host_ca_cert_bytes has a private key in it, which would stand in a file of the host"


def _problem_of_variable(name: str) -> str:
    """What is wrong with a variable of the agent, empty if nothing is."""
    if not VARIABLE_NAME.fullmatch(name):
        return f"'{name}' is not a valid name of an environment variable"
    if _SECRET_VARIABLE.search(name):
        return f"{name} would stand in a file of the host"
    if _TEXTS.fullmatch(name):
        return (
            f"an agent would wait forever with {name}: set vault_transit_host_client_cert and "
            "vault_transit_host_client_key to files on the host"
        )
    return ""
