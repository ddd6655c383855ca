# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From settings to a token: one login per method, its renewal and its end. **Private** to the collection."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Mapping, Tuple
from urllib.parse import quote

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Warn
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    ServerError,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Auth

# For each method the path below its mount and the body of the login, as the server's API documents them.
Login = Callable[[Auth], Tuple[str, Dict[str, Any]]]


@dataclass(frozen=True)
class Grant:
    """The right to speak: a token, and what is known of its life.

    Attributes:
        created: whether a login created it, so that someone has to end it.
        expires: seconds since the epoch, ``None`` when it is not known or never.
        lease: seconds that it was given for.
        shareable: whether it may be used any number of times.
        index: of the state in which the server knows it, ``None`` where it does not tell.
    """

    token: str = field(default="", repr=False)
    created: bool = False
    expires: float | None = None
    lease: int = 0
    renewable: bool = False
    shareable: bool = True
    index: str | None = None

    def near_end(self, now: float) -> bool:
        """Whether less than a tenth of its life is left."""
        return self.expires is not None and self.expires - now < self.lease / 10


def log_in(client: Client, auth: Auth, now: float) -> Grant:
    """Log in, or take the given token, and let the client speak with it.

    Raises:
        InvalidOption: no token was given and the token file does not exist.
        Unauthenticated: the server refused the login or the token.
        ServerUnreachable: there was no answer.
    """
    if auth.method == "none":
        return Grant()
    given = auth.method == "token"
    grant = Grant(auth.token or _token_from_file(auth)) if given else _login(client, auth, now)
    client.token = grant.token
    if not auth.token_validate:
        return grant
    try:
        client.get("auth/token/lookup-self")
    except TransitError as error:
        invalid = error
    else:
        return grant
    if grant.created and auth.token_revoke:
        revoke(client, lambda _problem: None)
    raise invalid


def renew(client: Client, now: float) -> Grant:
    """The client's token with a longer life, as far as the server prolongs it.

    Raises:
        TransitError: the server did not.
    """
    return _grant(client.post("auth/token/renew-self", {}).auth, now)


def revoke(client: Client, warn: Warn) -> None:
    """End the client's token. One that cannot be ended (a batch token, no default policy) runs out by itself."""
    try:
        client.post("auth/token/revoke-self", {})
    except ServerError:
        pass
    except TransitError as error:
        warn(f"The token of this login was not revoked and lives until its TTL ends: {error.message}")
    client.token = ""


def _login(client: Client, auth: Auth, now: float) -> Grant:
    below, body = _LOGINS[auth.method](auth)
    path = f"auth/{auth.mount_point or auth.method}/{below}"
    try:
        grant = _grant(client.post(path, body).auth, now)
        if grant.token:
            return replace(grant, index=client.index)
        refused = f"The login with {auth.method} at '{path}' gave no token. Does it want a second factor?"
    except MountNotFound:
        refused = f"No auth method is mounted at 'auth/{auth.mount_point or auth.method}'. Check mount_point."
    except ServerError as error:
        if error.status not in (400, 403, 404):
            raise
        reason = "; ".join(" ".join(words.split()) for words in error.reasons) or "no reason given"
        refused = (
            f"The login with {auth.method} at '{path}' was refused: {reason}. Check the credentials and mount_point."
        )
    raise Unauthenticated(refused)


def _grant(answer: Mapping[str, Any], now: float) -> Grant:
    """What a login's or a renewal's answer grants."""
    lease = int(answer.get("lease_duration") or 0)
    return Grant(
        str(answer.get("client_token") or ""),
        created=True,
        expires=now + lease if lease else None,
        lease=lease,
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
    return "login", {"role": auth.role_id, "jwt": auth.jwt}


def _kubernetes(auth: Auth) -> tuple[str, dict[str, Any]]:
    token = auth.jwt or _read(auth.kubernetes_token_path, "kubernetes_token_path")
    return "login", {"role": auth.role_id, "jwt": token}


def _cert(auth: Auth) -> tuple[str, dict[str, Any]]:
    return "login", {"name": auth.role_id} if auth.role_id else {}


_LOGINS: Mapping[str, Login] = {
    "approle": _approle,
    "userpass": _userpass,
    "ldap": _userpass,
    "jwt": _jwt,
    "kubernetes": _kubernetes,
    "cert": _cert,
}


def _token_from_file(auth: Auth) -> str:
    path = os.path.join(auth.token_path, auth.token_file)
    if not os.path.exists(path):
        raise InvalidOption(
            f"No token: give token, set BAO_TOKEN or VAULT_TOKEN, log in with the server's client so that {path} holds "
            "one, or choose another auth_method."
        )
    return _read(path, "token_file")


def _read(path: str, option: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is not text"
    else:
        if text:
            return text
        problem = "it is empty"
    raise InvalidOption(f"{option} {path}: {problem}.")
