# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys login`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from mlkeys._commands.errors import failing_plainly, show_json, show_warning
from mlkeys._commands.login.kept import keep, winning
from mlkeys._commands.login.oidc import Flow
from mlkeys._commands.login.oidc import log_in as log_in_by_oidc
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._system import collection
from mlkeys._system.terminal import ask_unseen

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings

_SECONDS = 300
_BY_NAME = ("userpass", "ldap")
_METHODS = (
    *("token", "oidc", "userpass", "ldap", "jwt", "approle", "cert", "kubernetes"),
    *("aws_iam", "azure", "gcp"),
)


# Of what nobody is asked for.
_FLAGS = {"role_id": "--role"}


class _Flags(TypedDict):
    store: bool
    browser: bool
    as_json: bool


@click.command("login")
@click.option("-m", "--method", type=click.Choice(_METHODS), help="Auth method. Default: auth_method, or token.")
@click.option("--role", metavar="NAME", help="Role of the method (role_id). For oidc, the default is the server's.")
@click.option("--username", metavar="NAME", help="User name for userpass and ldap.")
@click.option("--mount-point", metavar="PATH", help="Where the method is mounted. Default: its name.")
@click.option("--url", metavar="URL", help="Address of the server. Default: BAO_ADDR or VAULT_ADDR.")
@click.option("--namespace", metavar="PATH", help="Namespace of the method. Default: BAO_NAMESPACE or VAULT_NAMESPACE.")
@click.option("--browser/--no-browser", default=True, help="For oidc: open a browser here, or only show the address.")
@click.option("--port", default=8250, show_default=True, help="For oidc: where the browser comes back on this machine.")
@click.option("--store/--no-store", default=True, help="--no-store: keep the token nowhere, and write it.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(
    method: str | None,
    role: str | None,
    username: str | None,
    mount_point: str | None,
    url: str | None,
    namespace: str | None,
    port: int,
    **flags: Unpack[_Flags],
) -> None:
    """Log in to the server, and keep the token where bao and vault keep theirs.

    That is the token helper of their configuration (~/.bao or ~/.vault), else ~/.vault-token, which only you can read.
    Commands, lookups and modules then use it. All other settings are those of the environment and of ansible.cfg.

    A token or a password comes from a prompt, which does not show it, or from standard input.

    With oidc, you log in with your organisation's provider in a browser. Where there is none, let the role use the
    device flow (callback_mode=device): you open the address that is shown on any other machine.

    \b
    Examples:
      mlkeys login
      mlkeys login --method oidc --role developer
      mlkeys login --method userpass --username ada
      export BAO_TOKEN=$(mlkeys login --method gcp --role ci --no-store)
    """
    given = {"role_id": role, "username": username, "mount_point": mount_point, "url": url, "auth_namespace": namespace}
    options = collection.login_options({name: value for name, value in given.items() if value is not None})
    chosen_method = method or str(options.get("auth_method") or "token")
    if chosen_method == "none":
        raise MlkeysError(f"auth_method '{chosen_method}' logs in nowhere. Choose another one with --method.")
    settings = _settings(chosen_method, options)
    with collection.in_plain_words():
        client = collection.client_of(settings)
        flow = _flow(settings, options, port, browser=flags["browser"])
        token = _token(client, settings, flow if chosen_method == "oidc" else None)
        client.token = token
        with _revoked_on_failure(client, created=chosen_method != "token"):
            facts = {"url": client.url, "method": chosen_method, **_identity(client)}
            kept = keep(settings.auth, client.url, token) if flags["store"] else ""
            _report(facts, token, kept, as_json=flags["as_json"])


@contextmanager
def _revoked_on_failure(client: Client, *, created: bool) -> Iterator[None]:
    """Revoke the token of a login when it reaches nobody. One that somebody entered is theirs."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import revoke

    with ExitStack() as stack:
        if created:
            stack.callback(revoke, client, collection.warn)
        yield
        stack.pop_all()


def _settings(method: str, options: Mapping[str, Any]) -> Settings:
    """
    Raises:
        MlkeysError: an option is missing or invalid.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from

    chosen = {**options, "auth_method": "none" if method == "oidc" else method}
    if method == "token":
        # It replaces the present one.
        chosen["token"] = _asked("Token")
    if method in _BY_NAME:
        chosen["username"] = chosen.get("username") or _user_name()
        chosen["password"] = chosen.get("password") or _asked("Password")
    with collection.in_plain_words():
        return settings_from(chosen, os.environ, flags=_FLAGS)


def _user_name() -> str:
    if not sys.stdin.isatty():
        raise MlkeysError("Name the user: --username.")
    return str(click.prompt("User name", err=True))


def _asked(label: str) -> str:
    """A secret from a prompt or from standard input.

    Raises:
        MlkeysError: there is none.
    """
    if sys.stdin.isatty():
        value = ask_unseen(f"{label} (hidden)", "enter one")
    else:
        value = sys.stdin.buffer.readline().decode(errors="replace").removesuffix("\n")
    if not value:
        raise MlkeysError(f"No {label.lower()}: nothing was entered.")
    return value


def _flow(settings: Settings, options: Mapping[str, Any], port: int, *, browser: bool) -> Flow:
    connection = settings.connection
    namespace = connection.namespace if connection.auth_namespace is None else connection.auth_namespace
    return Flow(
        settings.auth.mount_point or "oidc",
        namespace,
        str(options.get("role_id") or ""),
        port,
        browser,
        _SECONDS,
        lambda text: click.echo(text, err=True),
    )


def _token(client: Client, settings: Settings, flow: Flow | None) -> str:
    """
    Raises:
        TransitError: the login was refused.
        MlkeysError: the person did not log in.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import log_in

    if flow is None:
        return log_in(client, settings.auth, time.time()).token
    token = str(_by_oidc(client, flow).get("client_token") or "")
    if not token:
        raise MlkeysError("The login returned no token. Does it require multi-factor authentication?")
    return token


def _by_oidc(client: Client, flow: Flow) -> Mapping[str, Any]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import refusal_of
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        NamespaceNotFound,
        ServerError,
    )

    try:
        return log_in_by_oidc(client, flow)
    except NamespaceNotFound:
        raise
    except ServerError as error:
        if error.status not in (400, 403, 404):
            raise
        refusal = refusal_of(client, "oidc", f"auth/{flow.mount}", error, "--role and --mount-point")
        raise MlkeysError(printable(refusal)) from None


def _identity(client: Client) -> dict[str, Any]:
    """Whose token it is, as far as it may look up itself."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied

    try:
        found = client.get("auth/token/lookup-self", login=True).data
    except PermissionDenied:
        return {"display_name": "", "policies": [], "ttl": None, "renewable": None}
    names = {*(found.get("policies") or ()), *(found.get("identity_policies") or ())}
    return {
        "display_name": str(found.get("display_name") or ""),
        "policies": sorted(map(str, names)),
        "ttl": found.get("ttl"),
        "renewable": found.get("renewable"),
    }


def _report(facts: Mapping[str, Any], token: str, kept: str, *, as_json: bool) -> None:
    if as_json:
        show_json({**facts, **({"stored": kept} if kept else {"token": token})})
    else:
        named = f" as {printable(str(facts['display_name']))}" if facts["display_name"] else ""
        rights = f", with the policies {printable(', '.join(facts['policies']))}" if facts["policies"] else ""
        click.echo(f"Logged in to {printable(str(facts['url']))}{named}{rights}.", err=True)
        click.echo(f"The token {_life(facts['ttl'])}{f' and is kept in {kept}' if kept else ''}.", err=True)
        if not kept:
            click.echo(token)
    if kept and (variable := winning(os.environ)):
        show_warning(f"Warning: {variable} is set and wins over this token. Unset it.")


def _life(seconds: Any) -> str:
    if not isinstance(seconds, int):
        return "is valid"
    hours, minutes = divmod(seconds // 60, 60)
    return f"is valid for {hours} h {minutes} min" if seconds else "does not expire"
