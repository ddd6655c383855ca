# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Decide which proxy a request goes through, by the rules of the server's own client. **Private** to the collection.

A proxy that was set for the client gets every request. One of the environment (``HTTPS_PROXY``, ``HTTP_PROXY``) gets
none to this machine, and none to what ``NO_PROXY`` lists. The libraries of Python have other rules, and each has its
own.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
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
    """

    urls: tuple[tuple[str, str], ...] = ()
    of_environment: bool = False
    bypass: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Proxies({[(scheme, without_login(url)) for scheme, url in self.urls]})"

    def of(self, address: str) -> str:
        """The URL of the proxy for an address, empty for none."""
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
        found = next((urls[name] for name in names if urls.get(name)), "")
        return found if not found or "://" in found else f"http://{found}"

    def problem_at(self, address: str) -> str:
        """What is wrong with the proxy for an address, empty if nothing is."""
        scheme = urlsplit(address).scheme
        if not is_of_other_kind(self.of(address)):
            return ""
        return f"{scheme.upper()}_PROXY must begin with http:// or https:// (SOCKS is not supported)"


# None at all.
DIRECT = Proxies()


def proxies_from(environment: Mapping[str, str]) -> Proxies:
    """Those that the environment sets for programs of all kinds."""

    def value(name: str) -> str:
        return str(environment.get(name.upper()) or environment.get(name) or "").strip()

    urls = tuple((scheme, value(f"{scheme}_proxy")) for scheme in ("http", "https"))
    bypass = tuple(entry for entry in (one.strip().lower() for one in value("no_proxy").split(",")) if entry)
    return Proxies(tuple((scheme, url) for scheme, url in urls if url), of_environment=True, bypass=bypass)


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
