# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Environment variables and settings, and their usual mistakes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlkeys._commands.doctor.check import Check
from mlkeys._shared.printable import without_login

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


_OF_SERVICES = ("BAO_SRV_LOOKUP", "VAULT_SRV_LOOKUP")


def variables(options: Iterable[Option], environ: Mapping[str, str]) -> Iterator[Check]:
    """Variables that contradict each other, and values with surrounding whitespace."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import is_true
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.authorities import (
        AUTHORITIES_OF_THE_MACHINE,
    )

    for name in _OF_SERVICES:
        if is_true(environ.get(name, ""), name):
            found = f"{name}: bao asks DNS for the servers of a service (SRV), and nothing here does"
            yield Check("environment", "remark", found, "Give the address of a server with its port, or several.")
    for option in options:
        # The home folder is only a default.
        names = [name for name in option.variables_in(environ) if name != "HOME"]
        for name in option.all_environment:
            if environ.get(name) and name not in (*names, "HOME"):
                empty = name.replace("VAULT_", "BAO_", 1)
                yield Check(
                    "environment", "remark", f"{empty} is empty, and hides {name}", f"Unset {empty}, or set it."
                )
        # Of those with CA certificates, all count.
        rivals = [name for name in names if name not in AUTHORITIES_OF_THE_MACHINE]
        if len({environ[name] for name in rivals}) > 1:
            advice = f"{rivals[0]} is used. Unset the others."
            yield Check("environment", "remark", f"{', '.join(rivals)} differ", advice)
        for name in names:
            if option.name == "url" and name in option.late and environ[name].strip().rstrip("/").endswith("/v1"):
                found = f"{name} ends with /v1, which bao adds itself: its commands fail"
                yield Check("environment", "remark", found, "Remove /v1 from the address.")
            if environ[name] != environ[name].strip():
                advice = "Remove the whitespace: not every program strips it."
                yield Check("environment", "wrong", f"{name} has whitespace around its value", advice)


def connection(settings: Connection, source: str) -> Iterator[Check]:
    """The address, and whether the connection is secure."""
    yield Check("address", "ok", f"{', '.join(without_login(url) for url in settings.addresses)} ({source})")
    for url in settings.addresses:
        if url.startswith("http://") and not _is_loopback(urlsplit(url).hostname or ""):
            found = f"{without_login(url)} is not encrypted: tokens and plaintext are sent in the clear"
            yield Check("address", "remark", found, "Enable TLS on the server, and use https:// in the address.")
    if settings.verify is False:
        found = "certificates are not verified: an attacker on the network can impersonate the server"
        advice = "Unset BAO_SKIP_VERIFY and VAULT_SKIP_VERIFY, and set BAO_CACERT to the CA certificate."
        yield Check("TLS", "remark", found, advice)


def origin(option: Option, environ: Mapping[str, str]) -> str:
    """The source of an option's value that no program sets. The collection must be loaded."""
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import in_configuration

    variable = option.variable_in(environ)
    # It ranks before the variables of the server's own client.
    is_configured = variable not in option.environment and bool(in_configuration(option.name))
    return "ansible.cfg" if is_configured or not variable else variable


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
