# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Get a token from settings: one login per auth method, its renewal and revocation. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Mapping, Tuple
from urllib.parse import quote

from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.aws import signed_request
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.azure import access_token
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.gcp import signed_token
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.job_token import job_token
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import LOGIN_OPTIONS, Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import (
    NoToken,
    stored_token,
    text_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import is_unusual
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    NamespaceNotFound,
    ServerError,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.reasons import words_of

# For each method the path below its mount and the body of the login, as the server's API documents them.
Login = Callable[[Auth], Tuple[str, Dict[str, Any]]]


@dataclass(frozen=True)
class Lease:
    """A token, and what is known of its lifetime.

    Attributes:
        created: whether a login created it, so that it must be revoked.
        expires: seconds since the epoch, ``None`` for never or not known.
        duration: seconds that it is valid for.
        shareable: whether it may be used any number of times.
        index: of the state in which the server knows it, ``None`` where the server does not name it.
    """

    token: str = field(default="", repr=False)
    created: bool = False
    expires: float | None = None
    duration: int = 0
    renewable: bool = False
    shareable: bool = True
    index: str | None = None

    def near_end(self, now: float) -> bool:
        """Whether less than a tenth of its lifetime is left."""
        return self.expires is not None and self.expires - now < self.duration / 10


def log_in(client: Client, auth: Auth, now: float) -> Lease:
    """Log in, or use the given token, and give it to the client.

    Raises:
        InvalidOption: there is no token, or nothing to log in with.
        LibraryMissing: the method needs a library that is not installed.
        Unauthenticated: the server refused the login or the token.
        ServerUnreachable: there was no response.
    """
    if auth.method == "none":
        return Lease()
    lease = _given(client, auth) if auth.method == "token" else _login(client, auth, now)
    client.token = lease.token
    if not (auth.token_validate and lease.token):
        return lease
    try:
        client.get("auth/token/lookup-self", login=True)
    except TransitError:
        if lease.created and auth.token_revoke:
            revoke(client, lambda _problem: None)
        raise
    return lease


def _given(client: Client, auth: Auth) -> Lease:
    try:
        token = auth.token or stored_token(auth, client.url)
    except NoToken:
        if not auth.by_agent:
            raise
        return Lease()
    if not token.isprintable():
        # It would be a header, and its library's error is one about the request.
        raise InvalidOption(
            "The token has characters that cannot be printed, such as a line break in it. Check token, BAO_TOKEN, "
            "VAULT_TOKEN, or what stores it."
        )
    return Lease(token)


def check_stored(auth: Auth, url: str) -> None:
    """Refuse a login whose token is in a place that cannot be read, without a request.

    Raises:
        InvalidOption: it cannot be read.
    """
    if auth.method == "kubernetes" and not auth.jwt:
        text_of(auth.kubernetes_token_path, "kubernetes_token_path")
    if auth.method == "token" and not auth.token and not auth.by_agent:
        stored_token(auth, url)


def renew(client: Client, now: float) -> Lease:
    """Renew the client's token, as far as the server extends its lifetime.

    Raises:
        TransitError: the server does not renew it.
    """
    return _lease(client.post("auth/token/renew-self", {}, login=True).auth, now)


def revoke(client: Client, warn: Warn) -> None:
    """Revoke the client's token. One that cannot be revoked (a batch token, no default policy) expires by itself."""
    try:
        client.post("auth/token/revoke-self", {}, login=True)
    except ServerError:
        pass
    except TransitError as error:
        warn(f"The token of this login was not revoked and stays valid until its TTL expires: {error.message}")
    client.token = ""


def mount_of(auth: Auth) -> str:
    """Where the method is mounted."""
    return auth.mount_point or {"aws_iam": "aws"}.get(auth.method, auth.method)


def _login(client: Client, auth: Auth, now: float) -> Lease:
    below, body = _LOGINS[auth.method](auth)
    mount = mount_of(auth)
    path = f"auth/{mount}/{below}"
    try:
        lease = _lease(client.post(path, body, login=True).auth, now)
    except NamespaceNotFound:
        raise
    except ServerError as error:
        certain = error.status in (400, 403, 404) or _UNVERIFIED in words_of(error.reasons)
        if not certain:
            raise
        # The statuses 403 and 404 are about where the login was sent, and from where.
        of_certificate = auth.method == "cert" and error.status not in (403, 404)
        suspects = client.suspects_of_certificate if of_certificate else "the credentials and mount_point"
        said = refusal_of(client, auth.method, path, error, suspects)
        if auth.method == "jwt" and "claim" in words_of(error.reasons):
            # The refusal does not say which claims, audience and subject the role binds.
            said += f" {messages.role_step(client.place_of_login, mount, auth.role_id)}"
        raise Unauthenticated(said + messages.unusual(_unusual(auth, body))) from None
    if not lease.token:
        raise Unauthenticated(
            f"The login with {auth.method} at '{path}' returned no token. Does it require multi-factor authentication? "
            f"{messages.asked([client.url], client.login_namespace)}"
        )
    return replace(lease, index=client.index)


# What a server says with the status 500 about the certificate of a login.
_UNVERIFIED = "failed to verify client's certificate"


def _unusual(auth: Auth, body: Mapping[str, Any]) -> list[str]:
    """The options in the body of a login that have characters by mistake."""
    own = [option.name for option in LOGIN_OPTIONS if option.secret or option.name == "role_id"]
    values = {name: str(getattr(auth, name)) for name in own}
    return [name for name, value in values.items() if is_unusual(value) and value in body.values()]


def refusal_of(client: Client, method: str, path: str, error: ServerError, suspects: str) -> str:
    """What a refused login means, where it was sent, and the command that shows more.

    Args:
        suspects: what to check.
    """
    if isinstance(error, MountNotFound):
        said = f"No auth method is mounted at '{path.rpartition('/login')[0]}'. Check mount_point."
    else:
        reason = words_of(error.reasons) or "no reason given"
        said = f"The login with {method} at '{path}' was refused: {reason}. Check {suspects}."
    return said + messages.login_step(client.place_of_login, client.other_namespace)


def _lease(answer: Mapping[str, Any], now: float) -> Lease:
    """The lease in the answer to a login or a renewal."""
    seconds = answer.get("lease_duration")
    duration = seconds if isinstance(seconds, int) else 0
    return Lease(
        str(answer.get("client_token") or ""),
        created=True,
        expires=now + duration if duration else None,
        duration=duration,
        renewable=bool(answer.get("renewable")),
        shareable=not answer.get("num_uses"),
    )


def _userpass(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login/" + quote(auth.username, safe=""), {"password": auth.password}


def _approle(auth: Auth) -> tuple[str, dict[str, Any]]:
    body = {"role_id": auth.role_id}
    if auth.secret_id:
        body["secret_id"] = auth.secret_id
    return "login", body


def _jwt(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", {"role": auth.role_id, "jwt": auth.jwt or job_token(auth)}


def _kubernetes(auth: Auth) -> tuple[str, dict[str, Any]]:
    token = auth.jwt or text_of(auth.kubernetes_token_path, "kubernetes_token_path")
    return "login", {"role": auth.role_id, "jwt": token}


def _aws_iam(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", signed_request(auth)


def _azure(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", {"role": auth.role_id, "jwt": auth.jwt or access_token(auth)}


def _gcp(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", {"role": auth.role_id, "jwt": auth.jwt or signed_token(auth)}


def _cert(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", {"name": auth.role_id} if auth.role_id else {}


_LOGINS: Mapping[str, Login] = {
    "approle": _approle,
    "userpass": _userpass,
    "ldap": _userpass,
    "jwt": _jwt,
    "kubernetes": _kubernetes,
    "aws_iam": _aws_iam,
    "azure": _azure,
    "gcp": _gcp,
    "cert": _cert,
}
