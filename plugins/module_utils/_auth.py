# Copyright: (c) 2026, mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From settings to a client that may speak: one login per method, ended again. **Private** to the collection."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, Tuple
from urllib.parse import quote

from ansible_collections.mlkeys.transit.plugins.module_utils._client import Client, Warn
from ansible_collections.mlkeys.transit.plugins.module_utils._errors import (
    InvalidOption,
    MountNotFound,
    ServerError,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._settings import Auth, Settings

# For each method the path below its mount and the body of the login, as the server's API documents them.
Login = Callable[[Auth], Tuple[str, Dict[str, Any]]]


@contextmanager
def logged_in(settings: Settings, warn: Warn) -> Iterator[Client]:
    """A client with a token. A token that was created here by a login is revoked at the end; a given one is not.

    Raises:
        InvalidOption: no token was given and the token file does not exist.
        Unauthenticated: the server refused the login or the token.
        ServerUnreachable: there was no answer.
    """
    client = Client(settings.connection, warn)
    created = log_in(client, settings.auth)
    try:
        yield client
    finally:
        if created and settings.auth.token_revoke:
            revoke(client, warn)


def log_in(client: Client, auth: Auth) -> bool:
    """Give the client its token. Whether a login created that token (and so someone has to end it)."""
    if auth.method == "none":
        return False
    if auth.method == "token":
        client.token = auth.token or _token_from_file(auth)
    else:
        client.token = _login(client, auth)
    if auth.token_validate:
        client.get("auth/token/lookup-self")
    return auth.method != "token"


def revoke(client: Client, warn: Warn) -> None:
    """End the client's token. One that cannot be ended (a batch token, no default policy) runs out by itself."""
    try:
        client.post("auth/token/revoke-self", {})
    except ServerError:
        pass
    except TransitError as error:
        warn(f"The token of this login was not revoked and lives until its TTL ends: {error.message}")
    client.token = ""


def _login(client: Client, auth: Auth) -> str:
    below, body = _LOGINS[auth.method](auth)
    path = f"auth/{auth.mount_point or auth.method}/{below}"
    try:
        return str(client.post(path, body).auth["client_token"])
    except MountNotFound:
        refused = "No auth method is mounted at 'auth/%s'. Check mount_point." % (auth.mount_point or auth.method)
    except ServerError as error:
        if error.status not in (400, 403, 404):
            raise
        reason = "; ".join(" ".join(words.split()) for words in error.reasons) or "no reason given"
        refused = (
            f"The login with {auth.method} at '{path}' was refused: {reason}. Check the credentials and mount_point."
        )
    raise Unauthenticated(refused)


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
