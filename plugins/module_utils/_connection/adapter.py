# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The session that requests are sent with, its TLS, and why one has no response. **Private** to the collection."""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways import tls_messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.authorities import (
    AUTHORITIES_OF_THE_MACHINE,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.certificates import (
    fault_of_client,
    readable,
    text_of,
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
    return os.path.isdir(path) or _BEGINNING in text_of(path)


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
    # This reads the files with CA certificates.
    prepare = _before_tls(connection)
    for scheme in ("http://", "https://"):
        adapter.session.mount(scheme, watched_adapter(watch, prepare))
    adapter.session.mount(SCHEME, socket_adapter(watch))
    return adapter


def _unchanged(request: Any) -> Any:
    return request


def _before_tls(connection: Connection) -> Callable[[Any], None]:
    """What requests cannot set: it is set on each of urllib3's connections before they are made."""

    import urllib3

    file, folders, texts = trusted(connection)

    def prepare(made: Any) -> None:
        if made.ssl_context is None:
            required = urllib3.util.ssl_.resolve_cert_reqs(made.cert_reqs)
            context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=required)
            made.ssl_context = as_lenient_as_the_client(context)
            if connection.client_certificate_texts is not None:
                load_texts(made.ssl_context, connection.client_certificate_texts)
        if connection.server_name:
            made.server_hostname = connection.server_name
        if connection.ca_data or (texts and not file):
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


def trusted(connection: Connection) -> tuple[str, str, str]:
    """The file with CA certificates, the folders that OpenSSL finds its way in, and all other certificates as text.

    The server's own client reads all files of a folder, and of each file the certificates that are not damaged.
    OpenSSL reads files that are named by a hash, and the file only if none of its certificates is damaged.
    """
    named = [connection.verify] if isinstance(connection.verify, str) else []
    file, prepared, texts = "", [], [connection.ca_data] if connection.ca_data else []
    for folder in dict.fromkeys((*named, *(path for _source, path in connection.ca_beside))):
        if not os.path.isdir(folder):
            if folder in named and not _is_damaged(folder, connection.addresses):
                file = folder
            else:
                texts.append(text_of(folder))
            continue
        names = _names_in(folder)
        if any(map(_PREPARED.fullmatch, names)):
            prepared.append(folder)
        else:
            texts += [text for name in names if _BEGINNING in (text := text_of(os.path.join(folder, name)))]
    return file, ":".join(prepared), "\n".join(readable(text).text for text in texts)


def _is_damaged(path: str, addresses: Sequence[str]) -> bool:
    """Whether TLS cannot read a file with CA certificates as a whole, and would use it."""
    if not _uses_tls(addresses):
        # To read the certificates that a system trusts takes 20 ms, and nothing uses them here.
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError:
        return True
    return False


def damaged_authorities(connection: Connection) -> list[str]:
    """The certificates that TLS cannot read in what a connection trusts, a sentence for each place."""
    host, named = socket.gethostname(), list(connection.ca_beside)
    if isinstance(connection.verify, str):
        named.insert(0, (connection.ca_source, connection.verify))
    texts = [(tls_messages.CA_DATA, connection.ca_data)] if connection.ca_data else []
    for source, path in named if _uses_tls(connection.addresses) else ():
        files = [os.path.join(path, name) for name in _names_in(path)] if os.path.isdir(path) else [path]
        texts += [(f"{source} {file}", text_of(file)) for file in files]
    found = [(place, readable(text)) for place, text in texts if _BEGINNING in text]
    return [tls_messages.damaged(place, one.damaged, host) for place, one in found if one.damaged]


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


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
            _check_authorities(connection.verify, connection.addresses)
        except OSError:
            problems.append(tls_messages.unreadable_ca(connection.ca_source, connection.verify, host))
    if connection.ca_data and not readable(connection.ca_data).text:
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


def _check_authorities(path: str, addresses: Sequence[str]) -> None:
    """Raise an OSError where TLS can use none of the certificates at this path."""
    if os.path.isdir(path):
        return
    with open(path, "rb"):
        pass
    if _is_damaged(path, addresses) and not readable(text_of(path)).text:
        raise OSError


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
    host, certificate = socket.gethostname(), _certificate_of(connection)
    said = tls_messages.tls_problem(str(error), connection.server_name, connection.ca_of_machine, host, certificate)
    if not tls_messages.is_unverified(str(error)):
        return said
    return " ".join([said, *damaged_authorities(connection)])


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
    return tls_messages.unwelcome(_certificate_of(connection), socket.gethostname())


def suspects_of_certificate(connection: Connection) -> str:
    """What to check where a server refuses the login with the client certificate."""
    return tls_messages.suspects_of_login(_certificate_of(connection), socket.gethostname())


def _certificate_of(connection: Connection) -> tuple[str, str]:
    """What names the client certificate, with its path, and what is seen to be wrong with it; empty without one."""
    source, now = connection.certificate_sources[0], time.time()
    if connection.client_certificate is not None:
        path = connection.client_certificate[0]
        return f"{source} {path}", fault_of_client(text_of(path), now)
    if connection.client_certificate_texts is not None:
        return source, fault_of_client(connection.client_certificate_texts[0], now)
    return "", ""


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
