# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._errors import MlkeysError
from mlkeys._stored.secrets import Secret, chosen_files, results, stored_secrets
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|DIR]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check that every secret of encrypted vars files still decrypts. Default: those in the current folder.

    Without permission to decrypt, the ciphertexts are rewrapped instead, and the result is discarded: the server
    decrypts them for that, but does not return the plaintext. So the token needs the capability update on decrypt or on
    rewrap of the keys. Exits with 1 if a secret does not decrypt.

    \b
    Examples:
      mlkeys check group_vars/gateways
    """
    with collection.connected_to_read() as client:
        secrets = stored_secrets(lambda: client, chosen_files(files))
        problems = _problems(client, secrets)
    if as_json:
        rows = [
            {
                "name": one.name,
                "file": str(one.path),
                "key": one.key,
                "version": one.version,
                "problem": problems[one.name],
            }
            for one in secrets
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for one in secrets:
            if problems[one.name]:
                click.secho(f"{one.path}: {one.name}: {problems[one.name]}", fg="red")
        wrong = sum(1 for problem in problems.values() if problem)
        good = len(secrets) - wrong
        click.echo(f"{good} of {len(secrets)} {'secret decrypts' if len(secrets) == 1 else 'secrets decrypt'}.")
    if any(problems.values()):
        sys.exit(1)


def _problems(client: Client, secrets: list[Secret]) -> dict[str, str]:
    """For each secret why it does not decrypt, empty where it does."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        PermissionDenied,
        TransitError,
    )

    found: dict[str, str] = {}
    for key in dict.fromkeys(secret.key for secret in secrets):
        group = [secret for secret in secrets if secret.key == key]
        try:
            found.update(_decrypting(client, group))
        except PermissionDenied:
            found.update(_rewrapping(client, group))
        except TransitError as error:
            raise MlkeysError(error.message) from None
    return found


def _decrypting(client: Client, group: list[Secret]) -> dict[str, str]:
    return {name: result if isinstance(result, str) else "" for name, result in results(client, group).items()}


def _rewrapping(client: Client, group: list[Secret]) -> dict[str, str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

    file = group[0].file
    items = [stored_item(secret.file.entries[secret.name]) for secret in group]
    with collection.in_plain_words():
        answers = Transit(client, file.backend).rewrap_each(file.key, items)
    return {secret.name: answer.reason for secret, answer in zip(group, answers, strict=True)}
