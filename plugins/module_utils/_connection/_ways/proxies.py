# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Decide which proxy a request goes through, by the rules of the server's own client. **Private** to the collection.

A proxy that was set for the client gets every request. One of the environment (``HTTPS_PROXY``, ``HTTP_PROXY``) gets
none to this machine, and none to what ``NO_PROXY`` lists. The libraries of Python have other rules, and each has its
own.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Mapping
from urllib.parse import urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login


@dataclass(frozen=True)
class Proxies:
    """Proxies, and what is reached without one.

    Attributes:
        urls: by the scheme of an address, a scheme and a host, or ``all``. They may hold logins.
        of_environment: whether they are those of the environment.
        bypass: the entries of ``NO_PROXY``.
        variables: for the same keys as the URLs, the variables that set them, for messages.
    """

    urls: tuple[tuple[str, str], ...] = ()
    of_environment: bool = False
    bypass: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        return f"Proxies({[(scheme, without_login(url)) for scheme, url in self.urls]})"

    def of(self, address: str) -> str:
        """The URL of the proxy for an address, empty for none."""
        found = dict(self.urls).get(self._key(address), "")
        return found if not found or "://" in found else f"http://{found}"

    def source_of(self, address: str) -> str:
        """What to check if the proxy for an address is not right."""
        variable = dict(self.variables).get(self._key(address), "")
        if self.of_environment:
            return f"{variable} and NO_PROXY"
        return f"proxies ({variable})" if variable else "proxies"

    def _key(self, address: str) -> str:
        """That of the URL for an address, empty for none."""
        try:
            parts = urlsplit(address)
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            # What sends the request says so.
            return ""
        if self.of_environment and (_is_here(host) or any(_matches(entry, address) for entry in self.bypass)):
            return ""
        urls = dict(self.urls)
        names = (f"{parts.scheme}://{host}", parts.scheme, f"all://{host}", "all")
        return next((name for name in names if urls.get(name)), "")

    def problem_at(self, address: str) -> str:
        """What is wrong with the proxy for an address, empty if nothing is."""
        if not is_of_other_kind(self.of(address)):
            return ""
        variable = dict(self.variables)[self._key(address)]
        return f"{variable} must begin with http:// or https:// (SOCKS is not supported)"


# None at all.
DIRECT = Proxies()


def proxies_from(environment: Mapping[str, str]) -> Proxies:
    """Those that the environment sets for programs of all kinds."""

    def found(name: str) -> tuple[str, str]:
        variable = name.upper() if environment.get(name.upper()) else name
        return variable, str(environment.get(variable) or "").strip()

    chosen = {scheme: found(f"{scheme}_proxy") for scheme in ("http", "https")}
    return Proxies(
        tuple((scheme, url) for scheme, (_variable, url) in chosen.items() if url),
        of_environment=True,
        bypass=tuple(filter(None, (entry.strip().lower() for entry in found("no_proxy")[1].split(",")))),
        variables=tuple((scheme, variable) for scheme, (variable, _url) in chosen.items()),
    )


def is_of_http(url: str) -> bool:
    """Whether it is the whole URL of a proxy that speaks HTTP."""
    return url.lower().startswith(("http://", "https://"))


def is_of_other_kind(url: str) -> bool:
    """Whether it is the URL of a proxy that does not speak HTTP."""
    return "://" in url and not is_of_http(url)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    found = _address(host)
    return found is not None and found.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _matches(entry: str, address: str) -> bool:
    """Whether an entry of ``NO_PROXY`` stands for an address: ``*``, a network, an IP address, a name or a domain."""
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, port = _split(entry)
    if port and int(port) != (parts.port or {"http": 80, "https": 443}.get(parts.scheme)):
        return False
    found = _address(name)
    if found is not None:
        return found == _address(host)
    name = name[1:] if name.startswith("*.") else name
    return bool(name) and (host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}"))


def _split(entry: str) -> tuple[str, str]:
    """The name and the port of an entry, which may be an IPv6 address with colons of its own."""
    if entry.startswith("["):
        name, _bracket, rest = entry[1:].partition("]")
        return name, rest.lstrip(":")
    name, _colon, port = entry.rpartition(":")
    return (name, port) if port.isdecimal() and ":" not in name and name else (entry, "")
