# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read the addresses of a server as people write them. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Sequence
from urllib.parse import urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import set_in
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login

# An agent or a proxy may add a token of its own.
OF_AGENT = ("BAO_AGENT_ADDR", "VAULT_AGENT_ADDR")
OF_CLIENT = (*OF_AGENT, "BAO_ADDR", "VAULT_ADDR")
_DEFAULT = "https://127.0.0.1:8200"


class Place(NamedTuple):
    """Where a request was sent.

    Attributes:
        elsewhere: whether the server's own client would ask another server, so that its commands need the address.
    """

    address: str
    namespace: str = ""
    elsewhere: bool = False


def address_of_client(environment: Mapping[str, str]) -> str:
    """The address that the server's own client uses in an environment. It reads several as one, which is invalid."""
    text = next(filter(None, (set_in(environment, name) for name in OF_CLIENT)), _DEFAULT)
    return _address(text)


def are_of_agent(addresses: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether they are those of an agent, as far as variables and the addresses say."""
    given = [addresses_of(set_in(environment, name)) for name in OF_AGENT]
    return list(addresses) in given or addresses[0].startswith("unix:")


def addresses_of(value: Any) -> list[str]:
    """``https://a:8200``, ``https://a:8200,https://b:8200``, or a list of them, without repetitions."""
    texts = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
    return list(dict.fromkeys(address for address in map(_address, texts) if address))


def _address(text: Any) -> str:
    """An address without what people copy with it: a slash at its end, the API's version, capitals in its scheme."""
    scheme, separator, rest = str(text).strip().partition("://")
    address = (scheme.lower() + separator + rest if separator else scheme).rstrip("/")
    return address[: -len("/v1")].rstrip("/") if separator and rest.rstrip("/").endswith("/v1") else address


def problems_of(addresses: Sequence[str]) -> list[str]:
    """What is invalid, in words."""
    whole = [address for address in addresses if not _scheme_problem(address)]
    found = (*map(_scheme_problem, addresses), *map(_form_problem, whole), *map(_path_problem, whole))
    return [*filter(None, found)]


def _scheme_problem(address: str) -> str:
    if address.startswith(("http://", "https://", "unix:///")):
        return ""
    return f"url '{without_login(address)}' must start with https://, http:// or unix://"


def _form_problem(address: str) -> str:
    try:
        parts = urlsplit(address)
        # It reads them only when asked.
        _host, _port = parts.hostname, parts.port
    except ValueError:
        return f"url '{without_login(address)}' is not an address: write it as https://HOST:PORT"
    return ""


def _path_problem(address: str) -> str:
    if address.startswith("unix:"):
        return ""
    shown = without_login(address)
    base = _OF_REQUEST.sub("", shown)
    if base != shown:
        return f"url '{shown}' has the path of a request: set it to {base}"
    if _QUERY.search(address):
        return f"url '{shown}' has a query after it: set it to {base.rstrip('/')}"
    return ""


# What people copy from a browser, or from the documentation of the API. A path before it may be that of a gateway.
_OF_REQUEST = re.compile(r"(?<=[^:/])/(?:v1/.+|ui(?:/.*)?)$")
_QUERY = re.compile("[?#]")
