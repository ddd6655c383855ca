# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read the addresses of a server as people write them. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from typing import Any, Sequence
from urllib.parse import urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login


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
    """What is missing or invalid, in words."""
    problems = [] if addresses else ["url is not set: set url, BAO_ADDR or VAULT_ADDR"]
    problems += [
        f"url '{without_login(address)}' must start with https://, http:// or unix://"
        for address in addresses
        if not address.startswith(("http://", "https://", "unix:///"))
    ]
    return [*problems, *filter(None, map(_form_problem, addresses)), *filter(None, map(_path_problem, addresses))]


def _form_problem(address: str) -> str:
    try:
        parts = urlsplit(address)
        # It reads them only when asked.
        _host, _port = parts.hostname, parts.port
    except ValueError:
        return f"url '{without_login(address)}' is not an address: write it as https://HOST:PORT"
    return ""


def _path_problem(address: str) -> str:
    found = _OF_REQUEST.search(address)
    if not found or address.startswith("unix:"):
        return ""
    base = without_login(address[: found.start()])
    return f"url '{without_login(address)}' has the path of a request: set it to {base}"


# What people copy from a browser, or from the documentation of the API. A path before it may be that of a gateway.
_OF_REQUEST = re.compile(r"(?<=[^:/])/(?:v1/.+|ui(?:/.*)?)$")
