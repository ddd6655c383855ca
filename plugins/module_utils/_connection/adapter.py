# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The session that requests are sent with, its TLS, and why one has no response. **Private** to the collection."""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways import tls_messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.authorities import (
    AUTHORITIES_OF_THE_MACHINE,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.client_certificates import load_texts
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import Watch, watched_adapter
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.unix_sockets import (
    SCHEME,
    base_of,
    socket_adapter,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


@dataclass(frozen=True)
class Response:
    """A response that is complete. Its body may be secret, so it does not show in the representation."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


#: The only encoding of responses that is accepted.
PLAIN = "identity"


class Unanswered(Exception):
    """A request had no response.

    Attributes:
        problem: a sentence, without the address.
        temporary: whether the same request may succeed later.
        never_sent: whether the server certainly did not get it.
        late: whether there was none in time.
    """

    def __init__(self, problem: str, *, temporary: bool, never_sent: bool, late: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.temporary = temporary
        self.never_sent = never_sent
        self.late = late


def with_authorities(connection: Connection) -> Connection:
    """The connection with those CA certificates that variables of the machine name and that are there.

    As for the server's own client, they are asked for only with TLS, and what is missing does not count: where nothing
    is there, the system's count, unless both variables are set. Those that do not count are left in ``ca_of_machine``.

    Raises:
        InvalidOption: both variables are set, and nothing is there.
    """
    named = connection.ca_of_machine
    if not named or connection.verify is False or not _uses_tls(connection.addresses):
        return replace(connection, ca_of_machine=())
    found = tuple(one for one in named if _has_certificates(one[1]))
    lost = tuple(one for one in named if one not in found)
    if connection.ca_data or isinstance(connection.verify, str):
        return replace(connection, ca_beside=(*connection.ca_beside, *found), ca_of_machine=lost)
    variables = {name for name, _path in named}
    if not found and len(variables) == len(AUTHORITIES_OF_THE_MACHINE):
        raise InvalidOption(tls_messages.no_authorities(lost, socket.gethostname()))
    if not found:
        return replace(connection, ca_of_machine=lost)
    (source, path), *others = found
    return replace(connection, verify=path, ca_source=source, ca_beside=tuple(others), ca_of_machine=lost)


def _has_certificates(path: str) -> bool:
    return os.path.isdir(path) or _BEGINNING in _text_of(path)


def _uses_tls(addresses: Iterable[str]) -> bool:
    return any(address.lower().startswith("https:") for address in addresses)


_BEGINNING = "-----BEGIN CERT"


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
        allow_redirects=False,
    )
    # Otherwise requests reads ~/.netrc before each request, and sends the credentials that it finds there.
    adapter.session.auth = _unchanged
    adapter.session.headers["Accept-Encoding"] = PLAIN
    for scheme in ("http://", "https://"):
        adapter.session.mount(scheme, watched_adapter(watch, _before_tls(connection)))
    adapter.session.mount(SCHEME, socket_adapter(watch))
    return adapter


def _unchanged(request: Any) -> Any:
    return request


def _before_tls(connection: Connection) -> Callable[[Any], None]:
    """What requests cannot set: it is set on each of urllib3's connections before they are made."""

    import urllib3

    folders, texts = authorities_beside(connection)

    def prepare(made: Any) -> None:
        if made.ssl_context is None:
            required = urllib3.util.ssl_.resolve_cert_reqs(made.cert_reqs)
            context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=required)
            made.ssl_context = as_lenient_as_the_client(context)
            if connection.client_certificate_texts is not None:
                load_texts(made.ssl_context, connection.client_certificate_texts)
        if connection.server_name:
            made.server_hostname = connection.server_name
        if connection.ca_data:
            made.ca_certs = None
        if connection.verify is True and not connection.ca_data:
            # The certificates that requests brings do not have those that the system trusts in addition.
            made.ca_cert_dir = ssl.get_default_verify_paths().capath
        elif folders or texts:
            made.ca_cert_dir, made.ca_cert_data = folders or None, texts or None

    return prepare


def as_lenient_as_the_client(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a context accept the CA certificates that the server's own client accepts, and return it.

    Since Python 3.13, a CA certificate needs the extension keyUsage by default, which ``openssl req -x509`` leaves out.
    Go, in which the client is written, does not ask for it.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


# What OpenSSL finds in a folder by itself: the hash of a name, and a number.
_PREPARED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def authorities_beside(connection: Connection) -> tuple[str, str]:
    """The folders with CA certificates that OpenSSL finds its way in, and all other certificates as text.

    Not those of the file that a connection has for them. The server's own client reads all files of a folder. OpenSSL
    reads those that are named by a hash.
    """
    named = [connection.verify] if isinstance(connection.verify, str) and os.path.isdir(connection.verify) else []
    prepared, texts = [], [connection.ca_data] if connection.ca_data else []
    for folder in dict.fromkeys((*named, *(path for _source, path in connection.ca_beside))):
        if os.path.isfile(folder):
            texts.append(_text_of(folder))
            continue
        names = _names_in(folder)
        if any(map(_PREPARED.fullmatch, names)):
            prepared.append(folder)
        else:
            texts += [text for name in names if _BEGINNING in (text := _text_of(os.path.join(folder, name)))]
    return ":".join(prepared), "\n".join(texts)


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def check_files(connection: Connection) -> None:
    """Refuse files that TLS cannot use. Later, its errors do not name the file, or are not requests' own."""
    host = socket.gethostname()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Of those of the machine, which may be missing, only what is there is left here.
    authorities, certificate = list(connection.ca_beside), []
    if isinstance(connection.verify, str):
        authorities.insert(0, (connection.ca_source, connection.verify))
    if connection.client_certificate is not None:
        certificate = list(zip(connection.certificate_sources, connection.client_certificate))
    absent = [one for one in (*authorities, *certificate) if not os.path.exists(one[1])]
    problems = [tls_messages.missing(source, path, host) for source, path in absent]
    if isinstance(connection.verify, str) and authorities[0] not in absent:
        try:
            _check_authorities(connection.verify, context, connection.addresses)
        except OSError:
            problems.append(tls_messages.unreadable_ca(connection.ca_source, connection.verify, host))
    if connection.ca_data:
        try:
            context.load_verify_locations(cadata=connection.ca_data)
        except (OSError, ValueError):
            problems.append(tls_messages.UNREADABLE_CA_DATA)
    if not set(certificate) & set(absent):
        problems += _certificate_problems(connection, context, host)
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")


def _certificate_problems(connection: Connection, context: ssl.SSLContext, host: str) -> list[str]:
    """Why TLS cannot use the client certificate, nothing where it can, or where there is none."""
    try:
        load_client_certificate(context, connection)
    except OSError as error:
        given = connection.client_certificate or ("", "")
        certificate, key = zip(connection.certificate_sources, given)
        return [tls_messages.unreadable_certificate(certificate, key, host, error)]
    return []


def load_client_certificate(context: ssl.SSLContext, connection: Connection) -> None:
    """Let a context show the client certificate, if there is one.

    Raises:
        OSError: it cannot be used.
    """
    if connection.client_certificate_texts is not None:
        load_texts(context, connection.client_certificate_texts)
    if connection.client_certificate is not None:
        # Without a password, an encrypted key would make it prompt on the terminal.
        context.load_cert_chain(*connection.client_certificate, password="")


def _check_authorities(path: str, context: ssl.SSLContext, addresses: Sequence[str]) -> None:
    """Raise an OSError where TLS cannot use the certificates at this path."""
    if os.path.isdir(path):
        context.load_verify_locations(capath=path)
    elif _uses_tls(addresses):
        context.load_verify_locations(cafile=path)
    else:
        # To read the certificates that a system trusts takes 20 ms, and nothing uses them here.
        with open(path, "rb"):
            pass


def unanswered(connection: Connection, address: str, error: Any) -> Unanswered:
    """Why a request that was sent with requests has no response."""
    import requests

    failed = (*_lost(), requests.exceptions.Timeout)
    final = (requests.exceptions.SSLError, requests.exceptions.ProxyError)
    return Unanswered(
        _problem(connection, address, error),
        temporary=isinstance(error, failed) and not isinstance(error, final),
        never_sent=_never_sent(error),
        late=isinstance(error, requests.exceptions.Timeout),
    )


def _never_sent(error: Any) -> bool:
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def tls_problem(connection: Connection, error: Exception) -> str:
    """Why TLS failed, as a sentence."""
    host, certificate = socket.gethostname(), _certificate(connection)
    return tls_messages.tls_problem(str(error), connection.server_name, connection.ca_of_machine, host, certificate)


def connection_lost(connection: Connection, address: str, text: str) -> str:
    """Why a connection could not be made or was lost, by signs in the library's text, as sentences."""
    said, hint = messages.connection_lost(text), unwelcome(connection, address, text)
    return f"{said} If it is, {hint}" if hint else said


def unwelcome(connection: Connection, address: str, text: str) -> str:
    """What a server may not have liked that ended a connection for no known reason; empty without TLS.

    With TLS 1.3, it may have closed the connection before its refusal of a certificate is read.
    """
    if messages.known_problem(text) or not address.startswith("https:"):
        return ""
    return tls_messages.unwelcome(_certificate(connection), socket.gethostname())


def _certificate(connection: Connection) -> str:
    """What names the client certificate, and its path; empty without one."""
    if connection.client_certificate is not None:
        return f"{connection.certificate_sources[0]} {connection.client_certificate[0]}"
    return connection.certificate_sources[0] if connection.client_certificate_texts is not None else ""


def _lost() -> tuple[type[Exception], ...]:
    """The exceptions of requests for a connection that fails, or that ends before the response does."""
    import requests

    return requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError


def _problem(connection: Connection, address: str, error: Any) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return tls_problem(connection, error)
    if isinstance(error, requests.exceptions.ProxyError):
        return messages.proxy_problem(connection.proxies, address)
    if isinstance(error, requests.exceptions.Timeout):
        return messages.no_response(connection.timeout)
    if isinstance(error, _lost()):
        return connection_lost(connection, address, str(error))
    return messages.invalid_url(type(error).__name__)
