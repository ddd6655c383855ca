# Copyright: (c) 2026, mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""One HTTP connection to one server: send a request, get its data or one of `_errors`. **Private** to the collection.

hvac's adapter sends; its exceptions are not used, because they carry whole response bodies, and the body of a
half-failed batch decrypt holds the plaintext of the good half.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._errors import (
    InvalidOption,
    LibraryMissing,
    NotReady,
    ServerUnreachable,
    TransitError,
    from_answer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._settings import Connection

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Reply:
    """What a successful answer holds. Its data may be secret, so it does not show in the representation."""

    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    auth: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Failure:
    error: TransitError
    may_pass: bool
    retry_after: str | None = None


class Client:
    """Talks to one server with at most one token. Not safe for use by several threads at once.

    ``token`` is the only token ever sent: none is taken from files or the environment behind the caller's back.
    """

    def __init__(self, connection: Connection, warn: Warn, token: str = "") -> None:
        self._connection = connection
        self._warn = warn
        self._adapter = _adapter(connection)
        _check_retries(connection.retries)
        self.token = token

    @property
    def token(self) -> str:
        return str(self._adapter.token or "")

    @token.setter
    def token(self, token: str) -> None:
        self._adapter.token = token

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Reply:
        return self.request("GET", path, query=query)

    def list(self, path: str) -> Reply:
        return self.request("LIST", path)

    def post(self, path: str, body: Mapping[str, Any], *, repeatable: bool = True) -> Reply:
        """Write. ``repeatable=False`` is for what must not happen twice: it is sent once, whatever ``retries`` says."""
        return self.request("POST", path, body=body, repeatable=repeatable)

    def delete(self, path: str) -> Reply:
        return self.request("DELETE", path)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> Reply:
        """The reply of the server.

        Raises:
            ServerUnreachable: there was no answer, or one that no Vault or OpenBao gives.
            ServerError: the answer was no success.
        """
        pauses = _pauses(self._connection.retries if repeatable else {})
        while True:
            reply, failure = self._send(method, path, body, query)
            if failure is None:
                return reply
            pause = next(pauses, None) if failure.may_pass else None
            if pause is None:
                raise failure.error
            if self._connection.warn_on_retry:
                self._warn(f"Trying again: {failure.error.message}")
            time.sleep(max(pause, _seconds(failure.retry_after)))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        *,
        follow: bool = True,
    ) -> tuple[Reply, _Failure | None]:
        import requests

        try:
            response = self._adapter.request(method, "/v1/" + path, raise_exception=False, json=body, params=query)
        except requests.exceptions.RequestException as error:
            return Reply(), _Failure(_unreachable(self._connection, error), _worth_retrying(error))
        if 300 <= response.status_code < 400:
            target = response.headers.get("Location", "")
            if follow and response.status_code in (307, 308) and self._follow(target):
                # Once: two servers that each take the other for the active one would go on for ever.
                return self._send(method, path, body, query, follow=False)
            return Reply(), _Failure(_astray(self._connection.url, target), may_pass=False)
        return self._read(method, path, body, response)

    def _follow(self, location: str) -> bool:
        """Talk to the active node from now on, as a standby asks.

        Never from https down to http, which would show the token.
        """
        target = urlsplit(location)
        here = urlsplit(self._adapter.base_uri)
        if not target.netloc or target.netloc == here.netloc:
            return False
        if here.scheme == "https" and target.scheme != "https":
            return False
        self._adapter.base_uri = f"{target.scheme}://{target.netloc}"
        return True

    def _read(
        self, method: str, path: str, body: Mapping[str, Any] | None, response: Any
    ) -> tuple[Reply, _Failure | None]:
        status = response.status_code
        content = _json(response)
        if content is None or not _is_ours(method, status, content):
            return Reply(), _Failure(_foreign(self._connection.url, response), status == 502)
        if 200 <= status < 300:
            return (
                Reply(content.get("data") or {}, content.get("auth") or {}, tuple(content.get("warnings") or ())),
                None,
            )
        reasons = [_scrub(str(reason), body) for reason in content.get("errors") or ()]
        error = from_answer(method, path, status, reasons, self._connection.namespace)
        error.item_errors = _item_errors(content, body)
        may_pass = status in (412, 429, 502, 503) or isinstance(error, NotReady)
        return Reply(), _Failure(error, may_pass, response.headers.get("Retry-After"))


def _adapter(connection: Connection) -> Any:
    # Imported here: it takes a tenth of a second, which a play that never talks to a server need not pay.
    try:
        import hvac.adapters
        import urllib3
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:
        raise LibraryMissing("hvac")
    if connection.verify is False:
        # validate_certs: false was asked for; a warning at each request would only bury the others.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return hvac.adapters.RawAdapter(
        base_uri=connection.url,
        token="",
        cert=connection.client_certificate,
        verify=connection.verify,
        timeout=connection.timeout,
        proxies=connection.proxies,
        namespace=connection.namespace or None,
        allow_redirects=False,
    )


def _check_retries(retries: Mapping[str, Any]) -> None:
    """Refuse now what would end in a traceback at the first failure."""
    try:
        next(_pauses(retries), None)
    except (AttributeError, TypeError, ValueError):
        usable = False
    else:
        usable = True
    if not usable:
        raise InvalidOption("retries holds what urllib3.util.Retry does not take. Check its names and values.")


def _pauses(retries: Mapping[str, Any]) -> Iterator[float]:
    """Seconds to wait before each further try, as urllib3 counts them."""
    if not retries:
        return
    import urllib3

    retry = urllib3.Retry(**{"backoff_factor": 0.3, **retries})
    while True:
        try:
            retry = retry.increment(error=urllib3.exceptions.HTTPError())
        except urllib3.exceptions.HTTPError:
            # Either they are used up, or (total: false) there are none.
            return
        yield retry.get_backoff_time()


def _seconds(retry_after: str | None) -> float:
    return min(float(retry_after), 60.0) if retry_after and retry_after.isdigit() else 0.0


def _json(response: Any) -> Mapping[str, Any] | None:
    """The body as a mapping; empty for no body; ``None`` for a body that is none."""
    if not response.content:
        return {}
    try:
        content = response.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _is_ours(method: str, status: int, content: Mapping[str, Any]) -> bool:
    """Whether Vault or OpenBao may have answered this. Another server's 404 must not pass for a missing key."""
    if status < 300:
        return "data" in content or (not content and method not in ("GET", "LIST"))
    # A batch of which every item failed has data instead of errors.
    return "errors" in content or "data" in content


def _astray(url: str, target: str) -> TransitError:
    return ServerUnreachable(
        f"The server at {url} sends requests on to '{target}', where they are not sent. Check url, and what the "
        "servers take for the address of the active one."
    )


def _foreign(url: str, response: Any) -> TransitError:
    if b"HTTP request to an HTTPS server" in response.content[:200]:
        return ServerUnreachable(f"The server at {url} speaks https, not http. Begin url with https://.")
    return ServerUnreachable(
        f"What answers at {url} is not Vault or OpenBao (HTTP {response.status_code}, "
        f"{response.headers.get('Content-Type', 'no content type')}). Check url."
    )


def _item_errors(content: Mapping[str, Any], body: Any) -> tuple[str, ...]:
    """What a refused batch says of each item: its errors alone, for the good items beside them hold plaintext."""
    results = (content.get("data") or {}).get("batch_results") or ()
    return tuple(_scrub(str(result.get("error") or ""), body) for result in results)


def _worth_retrying(error: Any) -> bool:
    import requests

    if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
        return False
    return isinstance(error, (requests.exceptions.ConnectionError, requests.exceptions.Timeout))


def _unreachable(connection: Connection, error: Any) -> TransitError:
    """A sentence for a connection that failed. The library's text goes in only where it cannot hold a secret."""
    import requests

    text = str(error)
    where = f"Cannot reach the server at {connection.url}"
    check = "Check url (BAO_ADDR, VAULT_ADDR) and that the server runs."
    if isinstance(error, requests.exceptions.SSLError):
        return ServerUnreachable(f"{where}: {_tls_problem(text)}")
    if isinstance(error, requests.exceptions.ProxyError):
        return ServerUnreachable(f"{where}: the proxy refused or does not answer. Check proxies.")
    if isinstance(error, requests.exceptions.Timeout):
        return ServerUnreachable(f"{where}: no answer within {connection.timeout} seconds. {check}")
    if isinstance(error, requests.exceptions.ConnectionError):
        for sign, problem in _CONNECTION_PROBLEMS:
            if sign in text:
                return ServerUnreachable(f"{where}: {problem}. {check}")
        return ServerUnreachable(f"{where}: the connection broke. {check}")
    return ServerUnreachable(f"{where}: url is not usable ({type(error).__name__}). Check url.")


_CONNECTION_PROBLEMS: Sequence[tuple[str, str]] = (
    ("Connection refused", "connection refused"),
    ("NameResolutionError", "its name does not resolve"),
    ("Failed to resolve", "its name does not resolve"),
    ("Name or service not known", "its name does not resolve"),
    ("No route to host", "no route to host"),
    ("Network is unreachable", "the network is unreachable"),
)


def _tls_problem(text: str) -> str:
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text or "record layer failure" in text:
        return "it does not speak https. Begin url with http://, or correct the port."
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        reason = text.rpartition("certificate verify failed:")[2].partition("(_ssl")[0].strip(" :()'\"")[:200]
        return (
            f"its TLS certificate was not accepted ({reason}). "
            "Set ca_cert (BAO_CACERT, VAULT_CACERT) to the authority that signed it."
        )
    if "certificate required" in text.lower() or "alert" in text.lower():
        return "the server refused the TLS client certificate, or wants one (auth_method cert)."
    return "the TLS handshake failed."


def _scrub(reason: str, body: Any) -> str:
    """The server's words without what was sent: some of its texts repeat the value they complain about."""
    # The longest first: a short one may be the beginning of a long one, whose rest would stay.
    for text in sorted(_texts(body), key=len, reverse=True):
        if len(text) >= 4 and text in reason:
            reason = reason.replace(text, "***")
    return reason


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            for text in _texts(inner):
                yield text
    elif isinstance(value, (list, tuple)):
        for inner in value:
            for text in _texts(inner):
                yield text
