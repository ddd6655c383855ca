# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What environment and settings say of the server, and what often goes wrong with them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlkeys._commands.doctor.check import Check

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Option


def variables(options: Iterable[Option], environ: Mapping[str, str]) -> Iterator[Check]:
    """Variables that contradict each other, or do not hold what they seem to hold."""
    for option in options:
        # The home of a person is a default, and says nothing.
        names = [name for name in option.all_environment if environ.get(name) and name != "HOME"]
        if len({environ[name] for name in names}) > 1:
            yield Check("environment", "remark", f"{', '.join(names)} differ", f"{names[0]} counts. Unset the others.")
        for name in names:
            if environ[name] != environ[name].strip():
                advice = "Set it without them: not every program takes them away."
                yield Check("environment", "wrong", f"{name} has blanks or a line break around its value", advice)


def connection(settings: Connection, said_by: str) -> Iterator[Check]:
    """The address, and how safe the way to it is."""
    yield Check("address", "ok", f"{', '.join(_without_login(url) for url in settings.addresses)} ({said_by})")
    for url in settings.addresses:
        if url.startswith("http://") and not _is_loopback(urlsplit(url).hostname or ""):
            found = f"{_without_login(url)} is not encrypted: tokens and plaintext cross the network in the clear"
            yield Check("address", "remark", found, "Serve it over https, and begin the address with https://.")
    if settings.verify is False:
        found = "certificates are not verified: anybody on the way can be the server"
        advice = "Unset BAO_SKIP_VERIFY and VAULT_SKIP_VERIFY; BAO_CACERT names the authority that signed."
        yield Check("TLS", "remark", found, advice)


def origin(option: Option, environ: Mapping[str, str]) -> str:
    """What says the value of an option that no program says."""
    return next((name for name in option.all_environment if environ.get(name)), "ansible.cfg")


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
