# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The settings in effect, and where they differ from those of the server's own client on the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkeys._commands.doctor.check import Check
from mlkeys._commands.doctor.environment import origin
from mlkeys._shared.printable import without_login

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

# What the variables begin with that the server's own client reads.
_OF_BAO = ("BAO_", "VAULT_", "SSL_CERT_", "HOME")


def _authorities(connection: Connection) -> str:
    if not any(address.startswith("https:") for address in connection.addresses):
        return ""
    if connection.verify is False:
        return "not verified"
    if connection.ca_data:
        return "those of ca_cert_bytes"
    if isinstance(connection.verify, str):
        return connection.verify
    return ", ".join(path for _variable, path in connection.ca_of_machine)


def _certificate(connection: Connection) -> str:
    if connection.client_certificate_texts is not None:
        return "that of client_cert_bytes"
    return (connection.client_certificate or ("",))[0]


def _proxies(connection: Connection) -> str:
    return ", ".join(sorted({without_login(url) for url in map(connection.proxies.of, connection.addresses) if url}))


def _retries(connection: Connection) -> str:
    retries = connection.retries
    return str(retries if isinstance(retries, int) else retries.get("total", ""))


def _rate(connection: Connection) -> str:
    return "{:g} requests a second, {} at once".format(*connection.rate) if connection.rate else ""


# By their names for people: the option that says where a value comes from, and the value; empty where it is not set.
_SHOWN: Mapping[str, tuple[tuple[str, ...], Callable[[Connection], str]]] = {
    "namespace": (("namespace",), lambda found: found.namespace),
    "namespace of the login": (("auth_namespace",), lambda found: found.auth_namespace or ""),
    "CA certificates": (("validate_certs", "ca_cert", "ca_cert_bytes", "ca_path"), _authorities),
    "client certificate": (("client_cert", "client_cert_bytes"), _certificate),
    "name of the server's certificate": (("tls_server_name",), lambda found: found.server_name),
    "timeout": (("timeout",), lambda found: f"{found.timeout:g} s"),
    "retries": (("retries",), _retries),
    "rate": (("rate_limit",), _rate),
    "proxy": (("proxies",), _proxies),
}


def in_effect(connection: Connection, environ: Mapping[str, str]) -> Check | None:
    """The settings beside the address that something sets, and what does; None if nothing does."""
    found = []
    for name, (options, value) in _SHOWN.items():
        source = _source(options, environ)
        if value(connection) and (source or name != "timeout"):
            found.append(f"{name} {value(connection)} ({source or 'ansible.cfg, or the program'})")
    return Check("settings", "ok", "; ".join(found)) if found else None


def differences(used: Settings, of_bao: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Where `bao` on this machine would use something else. Of tokens only that they differ."""
    shown: dict[str, tuple[tuple[str, ...], Callable[[Connection], str]]] = {
        "address": (("url",), lambda found: ", ".join(map(without_login, found.addresses))),
        **_SHOWN,
    }
    for name, (options, value) in shown.items():
        # The login in another namespace has no variable of the client's.
        if name == "namespace of the login" or value(used.connection) == value(of_bao.connection):
            continue
        source = _source(options, environ) or "ansible.cfg, or the program"
        own, other = value(used.connection) or "none", value(of_bao.connection) or "none"
        yield Check("bao", "remark", f"{name}: bao would use {other}, and {own} is used ({source})")
    if used.auth.method == "token" and of_bao.auth.token and used.auth.token != of_bao.auth.token:
        source = _source(("token",), environ) or "ansible.cfg"
        yield Check("bao", "remark", f"token: bao would use another one than is used ({source})")


def helper(auth: Auth) -> Check | None:
    """Whether a token helper is used that `bao` does not know: it does not read the configuration of `vault`."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import helper_of
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

    if auth.method != "token" or auth.token or len(auth.client_configs) < 2:
        return None
    of_bao, of_vault = map(Path, auth.client_configs)
    try:
        if of_bao.exists() or not of_vault.exists() or not helper_of(auth):
            return None
    except InvalidOption:
        # The login names it.
        return None
    found = f"token helper: {of_vault} names one, which is used. bao does not read this file"
    return Check("bao", "remark", found, f"Copy it to {of_bao}, or set BAO_CONFIG_PATH={of_vault}.")


def environment_of_bao(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the server's own client reads."""
    return {name: value for name, value in environ.items() if name.startswith(_OF_BAO)}


def _source(names: tuple[str, ...], environ: Mapping[str, str]) -> str:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    options: dict[str, Any] = {option.name: option for option in OPTIONS}
    found = (origin(options[name], environ) for name in names)
    return next((source for source in found if source != "ansible.cfg"), "")
