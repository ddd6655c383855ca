# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The session that requests are sent with, and its TLS. **Private** to the collection."""

from __future__ import annotations

import os
import ssl
from typing import Any, Callable, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.limits import Watch, watched_adapter
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unix_sockets import (
    SCHEME,
    base_of,
    socket_adapter,
)


def session_adapter(connection: Connection, watch: Watch) -> Any:
    """hvac's adapter, whose connections are shown to ``watch``."""
    hvac = library("hvac")
    if connection.verify is False:
        import urllib3

        # validate_certs: false was requested; a warning for each request would only bury the others.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    adapter = hvac.adapters.RawAdapter(
        base_uri=base_of(connection.addresses[0]),
        token="",
        cert=connection.client_certificate,
        verify=connection.verify,
        timeout=connection.timeout,
        proxies=connection.proxies,
        namespace=connection.namespace or None,
        allow_redirects=False,
    )
    # Otherwise requests reads ~/.netrc before each request, and sends the credentials that it finds there.
    adapter.session.auth = _unchanged
    for scheme in ("http://", "https://"):
        adapter.session.mount(scheme, watched_adapter(watch, _before_tls(connection)))
    adapter.session.mount(SCHEME, socket_adapter(watch))
    return adapter


def _unchanged(request: Any) -> Any:
    return request


def _before_tls(connection: Connection) -> Callable[[Any], None]:
    """What requests cannot set: it is set on each of urllib3's connections before they are made."""

    def prepare(made: Any) -> None:
        if connection.server_name:
            made.server_hostname = connection.server_name
        if connection.ca_data:
            made.ca_certs, made.ca_cert_data = None, connection.ca_data
        elif connection.verify is True:
            # The certificates that requests brings do not have those that the system trusts in addition.
            made.ca_cert_dir = ssl.get_default_verify_paths().capath

    return prepare


def check_files(connection: Connection) -> None:
    """Refuse files that TLS cannot use. Later, its errors do not name the file, or are not requests' own."""
    problems = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if isinstance(connection.verify, str):
        try:
            _check_authorities(connection.verify, context, connection.addresses)
        except OSError:
            problems.append(messages.unreadable_ca(connection.verify))
    if connection.ca_data:
        try:
            context.load_verify_locations(cadata=connection.ca_data)
        except (OSError, ValueError):
            problems.append(messages.UNREADABLE_CA_DATA)
    if connection.client_certificate is not None:
        certificate, key = connection.client_certificate
        try:
            # Without a password, an encrypted key would make it prompt on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError:
            problems.append(messages.unreadable_certificate(certificate, key))
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")


def _check_authorities(path: str, context: ssl.SSLContext, addresses: Sequence[str]) -> None:
    """Raise an OSError where TLS cannot use the certificates at this path."""
    if os.path.isdir(path):
        context.load_verify_locations(capath=path)
    elif any(address.lower().startswith("https:") for address in addresses):
        context.load_verify_locations(cafile=path)
    else:
        # To read the certificates that a system trusts takes 20 ms, and nothing uses them here.
        with open(path, "rb"):
            pass
