# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys logout`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlkeys._commands.errors import failing_plainly, show_json, show_warning
from mlkeys._commands.login.kept import forget, winning
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


@click.command("logout")
@click.option("--url", metavar="URL", help="Address of the server. Default: BAO_ADDR or VAULT_ADDR.")
@click.option("--namespace", metavar="PATH", help="Namespace of the token. Default: BAO_NAMESPACE or VAULT_NAMESPACE.")
@click.option("--revoke/--no-revoke", default=True, help="--no-revoke: the token stays valid until it expires.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(url: str | None, namespace: str | None, *, revoke: bool, as_json: bool) -> None:
    """Revoke the token that `mlkeys login`, bao or vault has kept, and remove it from there.

    If the server cannot be reached, the token is kept. With --no-revoke it is removed nevertheless. Tokens in
    environment variables are not touched.

    \b
    Examples:
      mlkeys logout
      mlkeys logout --no-revoke
    """
    given = {"url": url, "auth_namespace": namespace}
    options = collection.login_options({name: value for name, value in given.items() if value is not None})
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import (
        NoToken,
        helper_of,
        stored_token,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from

    with collection.in_plain_words():
        settings = settings_from({**options, "auth_method": "token"}, os.environ, flags={})
        client = collection.client_of(settings)
        try:
            client.token = stored_token(settings.auth, client.url)
        except NoToken:
            client.token = ""
        revoked = bool(client.token) and revoke and _revoked(client)
        had = bool(client.token)
        where = forget(settings.auth, client.url) if had else ""
    if as_json:
        show_json({"url": client.url, "revoked": revoked, "removed": where})
    elif had:
        place = f"removed by the token helper {where}" if helper_of(settings.auth) else f"removed from {where}"
        click.echo(f"Logged out{': the token is revoked' if revoked else ''}. It is {place}.", err=True)
    else:
        click.echo("There is no token to remove.", err=True)
    if variable := winning(os.environ):
        show_warning(f"Warning: {variable} is set, and its token is still valid.")


def _revoked(client: Client) -> bool:
    """Whether it was valid until now.

    Raises:
        TransitError: the server did not revoke it.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import Unauthenticated

    try:
        client.post("auth/token/revoke-self", {}, login=True)
    except Unauthenticated:
        return False
    return True
