# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Talk to a server or cluster: send a request, get its data or one of `_errors`. **Private** to the collection.

hvac's adapter sends; its exceptions are not used, because they carry whole response bodies, and the body of a
half-failed batch decrypt holds the plaintext of the good half.
"""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple, Type, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.cluster import (
    INDEX,
    LOOK_AGAIN,
    PATIENCE,
    Members,
    certainly_undone,
    consistency_headers,
    hands_nothing_on,
    has_not_reached,
    is_active,
    is_standby,
    may_pass,
    may_serve_elsewhere,
    pause_before,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    LibraryMissing,
    MountNotFound,
    NotFound,
    ServerError,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
    from_answer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection

Warn = Callable[[str], None]
Answers = Union[Type[TransitError], Tuple[Type[TransitError], ...]]


@dataclass(frozen=True)
class Reply:
    """What a successful answer holds. Its data may be secret, so it does not show in the representation."""

    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    auth: Mapping[str, Any] = field(default_factory=dict, repr=False)
    wrap: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Request:
    """What is sent. Its body may be secret, so it does not show in the representation."""

    method: str
    path: str
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, Any] | None = None
    wrap_ttl: int = 0


@dataclass(frozen=True)
class _Failure:
    """Why a request failed.

    Attributes:
        may_pass: whether the same request may succeed later.
        elsewhere: whether another member of the cluster may serve it now.
        again: whether it was refused for something that will not be said again.
    """

    error: TransitError
    may_pass: bool
    elsewhere: bool = False
    again: bool = False
    retry_after: str | None = None


class Client:
    """Talks to one server, or to the members of one cluster, with at most one token.

    Not safe for use by several threads at once. ``token`` is the only token ever sent: none is taken from files or the
    environment behind the caller's back.

    It reads what it has written: an answer is never older than its own last write.
    """

    def __init__(self, connection: Connection, warn: Warn, token: str = "") -> None:
        self._connection = connection
        self._warn = warn
        self._members = Members(connection.addresses)
        self._adapter = _adapter(connection)
        self._index: str | None = None
        self._hand_on = True
        self._wrote = False
        _check_retries(connection.retries)
        _check_files(connection)
        self.token = token

    @property
    def token(self) -> str:
        return str(self._adapter.token or "")

    @token.setter
    def token(self, token: str) -> None:
        self._adapter.token = token

    @property
    def index(self) -> str | None:
        """Of the state that no answer may be older than: that after the last write, where the server tells it."""
        return self._index

    def not_before(self, index: str | None) -> None:
        """Get no answer older than the state of that index, which another client has seen."""
        self._index = self._index or index

    @property
    def may_retry(self) -> bool:
        return bool(self._connection.retries)

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, answers: Answers = ()) -> Reply:
        """Read.

        Args:
            answers: the errors that say that something is not there, where that is an answer like any other. Otherwise
                a standby that says so is asked again for a while.
        """
        return self._patiently(lambda: self.request("GET", path, query=query), answers)

    def list(self, path: str) -> Reply:
        # Nothing to list is an answer.
        return self._patiently(lambda: self.request("LIST", path), NotFound)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        repeatable: bool = True,
        writes: bool = True,
        wrap_ttl: int = 0,
    ) -> Reply:
        """Send something.

        Args:
            repeatable: ``False`` for what must not happen twice. It is not sent again, unless it was certainly not
                carried out.
            writes: ``False`` for what changes nothing on the server.
            wrap_ttl: seconds for which the server keeps the answer for whoever has the token that it answers instead.
        """
        reply = self._patiently(lambda: self.request("POST", path, body=body, repeatable=repeatable, wrap_ttl=wrap_ttl))
        self._wrote = self._wrote or writes
        return reply

    def delete(self, path: str) -> Reply:
        reply = self._patiently(lambda: self.request("DELETE", path))
        self._wrote = True
        return reply

    def settle(self) -> None:
        """Wait, within bounds, until the listed member has what was written: the next client begins with that one."""
        if not (self._wrote and self._index):
            return
        self._members.turn_back()
        deadline = time.monotonic() + self._patience
        while has_not_reached(self._ask_leader({INDEX: self._index})[0]):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_AGAIN)
        self._wrote = False

    def find_active(self) -> bool:
        """Talk to the active node itself from now on. Whether it was found, within the retries that are allowed."""
        pauses = _pauses(self._connection.retries)
        self._members.begin()
        while not self._turn_to_active():
            if self._members.next():
                continue
            pause = next(pauses, None)
            if pause is None:
                return False
            time.sleep(min(pause, self._connection.timeout))
            self._members.begin_again()
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        wrap_ttl: int = 0,
    ) -> Reply:
        """The reply of the server.

        Raises:
            ServerUnreachable: there was no answer, or one that no Vault or OpenBao gives.
            ServerError: the answer was no success.
        """
        pauses = _pauses(self._connection.retries)
        request = _Request(method, path, body, query, wrap_ttl)
        self._members.begin()
        while True:
            active_only = not repeatable and self._turn_to_active()
            reply, failure = self._send(request, follow=repeatable or active_only, alone=active_only)
            if failure is None:
                return reply
            if failure.again:
                continue
            if not (repeatable or failure.error.undone):
                raise failure.error
            if failure.elsewhere and self._members.next():
                continue
            pause = self._pause(pauses, failure)
            if pause is None:
                raise self._exhausted(failure)
            if self._connection.warn_on_retry:
                self._warn(f"Trying again: {failure.error.message}")
            time.sleep(pause)
            self._members.begin_again()

    def _pause(self, pauses: Iterator[float], failure: _Failure) -> float | None:
        backoff = next(pauses, None) if failure.may_pass else None
        if backoff is None:
            return None
        return pause_before(backoff, failure.retry_after, self._connection.timeout)

    def _exhausted(self, failure: _Failure) -> TransitError:
        if failure.elsewhere and self._members.several:
            failure.error.message = (
                f"No member of the cluster serves the request. The last one: {failure.error.message}"
            )
            failure.error.args = (failure.error.message,)
        return failure.error

    def _patiently(self, call: Callable[[], Reply], answers: Answers = ()) -> Reply:
        """What ``call`` gives. A standby that lags behind is asked again when it misses something."""
        deadline = None
        while True:
            try:
                return call()
            except ServerError as error:
                refused = error
            if isinstance(refused, answers):
                raise refused
            if deadline is None:
                if not self._may_lag(refused):
                    raise refused
                deadline = time.monotonic() + self._patience
            elif time.monotonic() > deadline:
                raise refused
            time.sleep(LOOK_AGAIN)

    @property
    def _patience(self) -> float:
        return min(PATIENCE, float(self._connection.timeout))

    def _may_lag(self, refused: ServerError) -> bool:
        """Whether the member may refuse only because it lags behind."""
        if self._index is not None:
            # Then it says so, or has handed the request on.
            return refused.status == 412
        misses = isinstance(refused, (NotFound, MountNotFound, Unauthenticated))
        return misses and is_standby(self._ask_leader()[1])

    def _ask_leader(self, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, Any]]:
        """What the member says of itself and the active node, ``0`` and nothing when it does not answer."""
        import requests

        timeout = min(self._connection.timeout, _PROBE_SECONDS)
        self._adapter.base_uri = self._members.address
        try:
            response = self._adapter.request(
                "GET", "/v1/sys/leader", headers=dict(headers or {}), raise_exception=False, timeout=timeout
            )
        except requests.exceptions.RequestException:
            return 0, {}
        return response.status_code, (_json(response) or {}) if response.status_code == 200 else {}

    def _turn_to_active(self) -> bool:
        """Talk to the active node itself, where the member names it and it answers. Whether it does."""
        leader = self._ask_leader()[1]
        if not is_standby(leader):
            return is_active(leader)
        if not self._members.follow(str(leader.get("leader_address") or "")):
            return False
        if is_active(self._ask_leader()[1]):
            return True
        self._members.turn_back()
        return False

    def _send(self, request: _Request, *, follow: bool, alone: bool) -> tuple[Reply, _Failure | None]:
        """Send to one member, or to the one that it names as the active node.

        Args:
            alone: the member carries it out itself or not at all.
        """
        import requests

        here = self._adapter.base_uri = self._members.address
        headers = consistency_headers(self._index, hand_on=self._hand_on, active_only=alone)
        if request.wrap_ttl:
            headers["X-Vault-Wrap-TTL"] = str(request.wrap_ttl)
        try:
            response = self._adapter.request(
                request.method,
                "/v1/" + request.path,
                headers=headers,
                raise_exception=False,
                json=request.body,
                params=request.query,
            )
        except requests.exceptions.RequestException as error:
            worth_retrying = _worth_retrying(error)
            return Reply(), _Failure(_unreachable(self._connection, here, error), worth_retrying, worth_retrying)
        if 300 <= response.status_code < 400:
            target = response.headers.get("Location", "")
            standby = response.status_code in (307, 308)
            if follow and standby and self._members.follow(target):
                # Once: two servers that each take the other for the active one would go on for ever.
                return self._send(request, follow=False, alone=alone)
            astray = _astray(here, target)
            astray.undone = alone
            return Reply(), _Failure(astray, may_pass=standby, elsewhere=standby)
        return self._read(request, response)

    def _read(self, request: _Request, response: Any) -> tuple[Reply, _Failure | None]:
        status = response.status_code
        content = _json(response)
        if content is None or not _is_ours(request.method, status, content):
            return Reply(), _Failure(_foreign(self._members.address, response), status == 502, status == 502)
        if 200 <= status < 300:
            if request.method not in ("GET", "LIST"):
                self._index = response.headers.get(INDEX, self._index)
            return _reply(content), None
        reasons = [_scrub(str(reason), request.body) for reason in content.get("errors") or ()]
        error = from_answer(request.method, request.path, status, reasons, self._connection.namespace)
        error.item_errors = _item_errors(content, request.body)
        error.version = _version(content)
        error.undone = certainly_undone(status, reasons)
        again = self._hand_on and hands_nothing_on(reasons)
        self._hand_on = self._hand_on and not again
        return Reply(), _Failure(
            error,
            may_pass(status, reasons),
            may_serve_elsewhere(status, reasons),
            again,
            response.headers.get("Retry-After"),
        )


# Where to look for the active node is asked on the side: a member that does not answer at once is none to wait for.
_PROBE_SECONDS = 5


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
    adapter = hvac.adapters.RawAdapter(
        base_uri=connection.addresses[0],
        token="",
        cert=connection.client_certificate,
        verify=connection.verify,
        timeout=connection.timeout,
        proxies=connection.proxies,
        namespace=connection.namespace or None,
        allow_redirects=False,
    )
    # Otherwise requests looks into ~/.netrc before each request, and sends what it finds there along.
    adapter.session.auth = _unchanged
    return adapter


def _unchanged(request: Any) -> Any:
    return request


def _check_files(connection: Connection) -> None:
    """Refuse files that TLS cannot use. Later on, its errors do not say which file it was, or are no errors of ours."""
    problems = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if isinstance(connection.verify, str):
        kind = "capath" if os.path.isdir(connection.verify) else "cafile"
        try:
            context.load_verify_locations(**{kind: connection.verify})
        except OSError:
            problems.append(f"ca_cert {connection.verify}: it is no readable file of PEM certificates")
    if connection.client_certificate is not None:
        certificate, key = connection.client_certificate
        try:
            # Without a password given, a protected key would make it ask on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError:
            problems.append(
                f"cert_auth_public_key {certificate} and cert_auth_private_key {key}: they are no readable PEM "
                "certificate and its key without a password"
            )
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")


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


def _json(response: Any) -> Mapping[str, Any] | None:
    """The body as a mapping; empty for no body; ``None`` for a body that is none."""
    if not response.content:
        return {}
    try:
        content = response.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _reply(content: Mapping[str, Any]) -> Reply:
    return Reply(
        data=content.get("data") or {},
        auth=content.get("auth") or {},
        wrap=content.get("wrap_info") or {},
        warnings=tuple(content.get("warnings") or ()),
    )


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


def _version(content: Mapping[str, Any]) -> int:
    """For a secret that is deleted, its version: the next one has to know it."""
    metadata = (content.get("data") or {}).get("metadata") or {}
    return int(metadata.get("version") or 0)


def _worth_retrying(error: Any) -> bool:
    import requests

    if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
        return False
    return isinstance(error, (requests.exceptions.ConnectionError, requests.exceptions.Timeout))


def _unreachable(connection: Connection, address: str, error: Any) -> TransitError:
    """The error for a connection that failed, with what is known of the request's fate."""
    import requests

    made = ServerUnreachable(_unreachable_message(connection, address, error))
    made.undone = _never_sent(error)
    made.unfinished = isinstance(error, requests.exceptions.Timeout) and not made.undone
    return made


def _never_sent(error: Any) -> bool:
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _unreachable_message(connection: Connection, address: str, error: Any) -> str:
    """A sentence for a connection that failed. The library's text goes in only where it cannot hold a secret."""
    import requests

    text = str(error)
    where = f"Cannot reach the server at {address}"
    check = "Check url (BAO_ADDR, VAULT_ADDR) and that the server runs."
    if isinstance(error, requests.exceptions.SSLError):
        return f"{where}: {_tls_problem(text)}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{where}: the proxy refused or does not answer. Check proxies."
    if isinstance(error, requests.exceptions.Timeout):
        return f"{where}: no answer within {connection.timeout} seconds. {check}"
    if isinstance(error, requests.exceptions.ConnectionError):
        for sign, problem in _CONNECTION_PROBLEMS:
            if sign in text:
                return f"{where}: {problem}. {check}"
        return f"{where}: the connection broke. {check}"
    return f"{where}: url is not usable ({type(error).__name__}). Check url."


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
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
