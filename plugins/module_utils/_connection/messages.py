# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The texts of errors that come from the connection, from TLS and from HTTP statuses. **Private** to the collection.

Messages hold facts that the collection itself puts there: never a request's or a response's body, and of a library's
text only what cannot hold a secret.
"""

from __future__ import annotations

from shlex import quote
from typing import Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import Place
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.proxies import Proxies
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import is_unusual
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    MountNotFound,
    NamespaceNotFound,
    NotFound,
    NotReady,
    PermissionDenied,
    ServerError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import words_of
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import shortened, without_login

# HTTP statuses


def from_answer(
    method: str, path: str, status: int, reasons: Sequence[str], namespace: str | None = None
) -> ServerError:
    """The error that an unsuccessful response means.

    The server's texts were read off OpenBao 2.7 and Vault's source; both share the code that writes them.
    """
    words = words_of(reasons)
    if status == 403:
        return _denied(method, path, reasons, words)
    if "namespace not found" in words:
        return NamespaceNotFound(
            "The namespace '%s' does not exist on this server. Check namespace (or BAO_NAMESPACE, VAULT_NAMESPACE)."
            % (namespace or ""),
            status,
            reasons,
        )
    if any(text in words for text in _NO_MOUNT):
        return MountNotFound(_nothing_mounted(path), status, reasons)
    if any(text in words for text in _NO_KEY):
        return NotFound(f"The key for '{path}' does not exist.", status, reasons)
    if status == 404:
        return NotFound(f"There is nothing at '{path}'.{_server_said(words)}", status, reasons)
    if status == 503 or "active cluster node not found" in words:
        return NotReady(f"The server is not ready for '{path}': {words}. {_REMEDY_NOT_READY}", status, reasons)
    if status == 429:
        return ServerError(
            f"The server's rate limit was exceeded at '{path}': {words or 'too many requests'}. "
            "Try again later, or set retries.",
            status,
            reasons,
        )
    return ServerError(f"The server refused '{path}' (HTTP {status}).{_server_said(words)}", status, reasons)


def next_step(error: ServerError, path: str, place: Place, token: str = "") -> str:
    """Where a refusal came from, and the command that shows more."""
    address, namespace, _elsewhere = place
    where = " " + asked([address], namespace)
    if isinstance(error, Unauthenticated):
        hint = unusual(["token"]) if is_unusual(token) else ""
        return f"{where} {check(place, 'token lookup')}{hint}"
    if isinstance(error, PermissionDenied):
        shown = check(place, "token capabilities", path) + _above(place, path)
        return f"{where} Policies are case-sensitive. {shown}"
    if isinstance(error, NotFound):
        return f"{where} {check(place, *_showing(path))}"
    if isinstance(error, NamespaceNotFound):
        # Without the flag, the command would ask in the namespace of the user's environment, which may be this one.
        parent = namespace.rpartition("/")[0] or "/"
        return f" Asked: {without_login(address)}. {check(place._replace(namespace=parent), 'namespace list')}"
    if isinstance(error, MountNotFound):
        listing = "auth list" if path.startswith("auth/") else "secrets list"
        return f"{where} If it is in another namespace, set namespace. {check(place, listing)}"
    if isinstance(error, NotReady):
        return f"{where} {_check_status(address)}"
    if error.status == 429:
        # Quotas are those of the whole server.
        return f"{where} {check(place._replace(namespace=''), 'list', 'sys/quotas/rate-limit')}"
    if error.status >= 500:
        return f"{where} Check the server's log. {_check_status(address)}"
    return f"{where} {check(place, 'path-help', path)}"


def _above(place: Place, path: str) -> str:
    """What a token of the namespace above can ask: in this one, its policies do not let it look at itself."""
    above, _slash, inner = place.namespace.rpartition("/")
    if not place.namespace:
        return ""
    shown = command(place._replace(namespace=above or "/"), "token capabilities", f"{inner}/{path}")
    return f" With a token of the namespace above: {shown}."


# What is before the name of a key in paths of a Transit engine.
_OF_A_KEY = frozenset(
    ("backup", "cmac", "datakey", "decrypt", "encrypt", "export", "hmac", "keys", "restore", "rewrap", "sign", "verify")
)


def _showing(path: str) -> tuple[str, str]:
    """The command that shows what there is in place of something that is missing."""
    *above, _name = path.split("/")
    places = [place for place, part in enumerate(above) if place and part in _OF_A_KEY]
    if places:
        return "list", "/".join([*above[: places[-1]], "keys"])
    return "path-help", path


def login_step(place: Place, other: str | None) -> str:
    """Where a refused login was sent, and what to do. Who cannot log in can run no command of the server's.

    Args:
        other: the namespace of all other requests, if auth_namespace is set.
    """
    option = "auth_namespace (ANSIBLE_HASHI_VAULT_AUTH_NAMESPACE, or --namespace of mlkeys login)"
    if other is None:
        step = f"If the auth method is in another namespace, set {option}."
    else:
        example = f", such as {_named(other)}" if other != place.namespace else ""
        step = f"{option} is set to that one: correct it if the auth method is in another namespace{example}."
    return (
        f" {asked([place.address], place.namespace)} {step} Otherwise, ask an administrator for its path "
        f"({command(place, 'auth list')})."
    )


def role_step(place: Place, mount: str, role: str) -> str:
    """The command that shows which claims, audience and subject a role binds, as a sentence."""
    return f"What the role binds: {command(place, 'read', f'auth/{mount}/role/{role}')}."


def no_token_sent(path: str, place: Place) -> str:
    """For a refused request to an agent that was sent without a token."""
    return (
        f"Refused at '{path}': there is no token, and what listens at url adds none. Set token, BAO_TOKEN or "
        "VAULT_TOKEN, log in with mlkeys login, bao or vault, or let the agent use its own token "
        "(use_auto_auth_token). "
        f"{asked([place.address], place.namespace)}"
    )


def asked(addresses: Sequence[str], namespace: str) -> str:
    """Which server was asked, as a sentence."""
    return f"Asked: {', '.join(map(without_login, addresses))}, {_named(namespace)}."


def check(place: Place, name: str, *words: str) -> str:
    """The command of the server's own client that shows more, as a sentence."""
    return f"Check: {command(place, name, *words)}."


def _check_status(address: str) -> str:
    return f"Check: bao status -address={quote(without_login(address))}."


def _named(namespace: str) -> str:
    return f"namespace '{namespace}'" if namespace else "the root namespace"


def command(place: Place, name: str, *words: str) -> str:
    """A command of the server's own client."""
    address = [f"-address={quote(without_login(place.address))}"] if place.elsewhere else []
    namespace = [f"-namespace={quote(place.namespace)}"] if place.namespace else []
    return " ".join(["bao", name, *address, *namespace, *map(quote, words)])


def _nothing_mounted(path: str) -> str:
    if path.startswith("auth/"):
        return f"No auth method is mounted for '{path}'. Enable it, or correct its path."
    return f"No secrets engine is mounted for '{path}'. Enable it, or correct the engine's path."


_REMEDY_NOT_READY = "Unseal it (bao operator unseal, vault operator unseal), or wait until a node is active."

_NO_MOUNT = (
    "no handler for route",
    "No secret engine mount at",
    "No auth engine at",
    "cannot fetch sysview for path",
)

_NO_KEY = (
    "encryption key not found",
    "signing key not found",
    "no existing key named",
    "could not delete key; not found",
    "key not found",
)

_CAPABILITIES = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "DELETE": "delete"}


def _denied(method: str, path: str, reasons: Sequence[str], words: str) -> ServerError:
    # Only a policy's refusal comes wrapped as "1 error occurred"; an unknown token is refused bare.
    if list(reasons) == ["permission denied"] or "invalid token" in words:
        return Unauthenticated(
            "The server does not accept the token: it is wrong, expired, revoked, used up, or bound to other networks. "
            f"Refused at '{path}'; log in again or give another token.",
            403,
            reasons,
        )
    capability = _CAPABILITIES[method]
    return PermissionDenied(
        f"Permission denied: the token's policies do not grant the capability '{capability}' on '{path}'. "
        "The server answers the same when the engine or the key in that path does not exist.",
        403,
        reasons,
    )


def unusual(options: Sequence[str]) -> str:
    """For a refusal: which options have values that only a mistake makes so. Nothing where none has.

    Args:
        options: their names.
    """
    if not options:
        return ""
    has = "has" if len(options) == 1 else "have"
    return f" {' and '.join(options)} {has} other characters than printable ASCII, such as typographic quotes."


def _server_said(words: str) -> str:
    return f" The server said: {words.rstrip('.')}." if words else ""


# The connection


def cannot_reach(address: str, problem: str) -> str:
    return f"Cannot reach the server at {without_login(address)}: {problem} {_check_status(address)}"


def no_response(seconds: float) -> str:
    return f"no response within {seconds:g} seconds. {_CHECK_URL}"


def too_large(address: str) -> str:
    return (
        f"The answer of the server at {without_login(address)} is too large: more than 64 MiB were received. Check "
        "url, or ask for less at once."
    )


def connection_lost(text: str) -> str:
    """Why a connection could not be made or was lost, by signs in the library's text."""
    return f"{known_problem(text) or 'the connection was lost'}. {_CHECK_URL}"


def invalid_url(kind: str) -> str:
    return f"url is invalid ({kind}). Check url."


def proxy_problem(proxies: Proxies, address: str) -> str:
    """Which proxy does not lead to an address, and what set it."""
    url, source = without_login(proxies.of(address)), proxies.source_of(address)
    return f"the proxy {url} refused the connection or does not respond. Check {source}."


_CHECK_URL = "Check url (BAO_AGENT_ADDR, BAO_ADDR, VAULT_ADDR) and that the server is running."


def known_problem(text: str) -> str:
    """What a library's text means, empty for an unknown one. It may repeat what was sent, so only known signs count."""
    return next((problem for sign, problem in _SIGNS if sign in text), "")


_SIGNS: Sequence[tuple[str, str]] = (
    ("at a socket: No such file", "there is no socket at this path"),
    ("at a socket: Permission denied", "you may not write to this socket"),
    ("CERTIFICATE_VERIFY_FAILED", "its TLS certificate could not be verified"),
    ("WRONG_VERSION_NUMBER", "it does not use TLS"),
    ("Connection refused", "connection refused"),
    ("timed out", "no response in time"),
    ("NameResolutionError", "its name does not resolve"),
    ("Failed to resolve", "its name does not resolve"),
    ("Name or service not known", "its name does not resolve"),
    ("name resolution", "its name does not resolve"),
    ("No route to host", "no route to host"),
    ("Network is unreachable", "the network is unreachable"),
    ("No such file", "ca_cert cannot be read"),
)


def redirected(address: str, target: str) -> str:
    return (
        f"The server at {without_login(address)} redirects to '{place_in(target)}'; the redirect was not "
        "followed. Check url and the api_addr of the servers."
    )


# Characters.
_SHOWN_OF_HEADER = 200


def place_in(target: str) -> str:
    """Where a server redirects to, as a message shows it."""
    return shortened(without_login(target), _SHOWN_OF_HEADER)


def compressed(address: str, encoding: str) -> str:
    """For a response that is compressed. None was asked for: a few bytes of it can fill the memory."""
    return (
        f"The answer of the server at {without_login(address)} is compressed "
        f"({shortened(encoding, _SHOWN_OF_HEADER)}), which mlkeys does not accept. Check url, and what is before "
        "the server: it must not compress answers for clients that do not ask for it."
    )


def foreign_server(address: str, status: int, content_type: str, beginning: bytes) -> str:
    """For a response that neither Vault nor OpenBao sends."""
    if b"HTTP request to an HTTPS server" in beginning:
        said = f"The server at {without_login(address)} expects HTTPS. Start url (BAO_ADDR) with https://."
        return f"{said} {_CHECK_DOCTOR}"
    kind = shortened(content_type, _SHOWN_OF_HEADER)
    beside = (
        " If it is a proxy or a load balancer, check the servers behind it." if status == 429 or status >= 500 else ""
    )
    said = f"The server at {without_login(address)} is not Vault or OpenBao (HTTP {status}, {kind})."
    return f"{said} {_CHECK_FOREIGN}{beside} {_CHECK_DOCTOR}"


_CHECK_DOCTOR = "Check: mlkeys doctor."
_CHECK_FOREIGN = "Check url (BAO_ADDR), and what listens on its port."


def too_large_on_the_way(address: str, path: str) -> str:
    """For a request that neither Vault nor OpenBao refuses because of its size."""
    return (
        f"What is before the server at {without_login(address)} refused a request to '{path}' because of its size "
        "(HTTP 413). Raise the limit of that proxy (such as client_max_body_size of nginx), or send less at once."
    )


def no_member(last: str) -> str:
    return f"No member of the cluster could serve the request. Last error: {last}"
