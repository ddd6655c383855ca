# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._errors import MlkeysError
from mlkeys._stored.secrets import Secret, chosen_files, results_of_each, secrets_of_each
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|DIR]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check that every secret of encrypted vars files still decrypts. Default: those in the current folder.

    Of a folder, all files are checked, also those in folders below it that are not hidden. Each file is checked for
    itself, so several may hold the same names.

    Without permission to decrypt, the ciphertexts are rewrapped instead, and the result is discarded: the server
    decrypts them for that, but does not return the plaintext. So the token needs the capability update on decrypt or on
    rewrap of the keys. Exits with 1 if a secret does not decrypt.

    \b
    Examples:
      mlkeys check group_vars
    """
    with collection.connected_to_read() as client:
        found = secrets_of_each(lambda: client, chosen_files(files, below=True))
        secrets = [secret for secret in found if not secret.is_open]
        problems = _problems(client, secrets)
    if as_json:
        rows = [_row(one, problem) for one, problem in zip(secrets, problems, strict=True)]
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(secrets, problems)
    if any(problems):
        sys.exit(1)


def _row(one: Secret, problem: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "file": str(one.path),
        "key": one.key,
        "version": one.version,
        "problem": problem,
        "warning": _warning(one),
    }


def _show(secrets: list[Secret], problems: list[str]) -> None:
    for one, problem in zip(secrets, problems, strict=True):
        if problem:
            click.secho(f"{one.path}: {one.name}: {problem}", fg="red")
        elif warning := _warning(one):
            click.secho(f"{one.path}: {one.name}: {warning}", fg="yellow")
    good = problems.count("")
    click.echo(f"{good} of {len(secrets)} {'secret decrypts' if len(secrets) == 1 else 'secrets decrypt'}.")


def _warning(one: Secret) -> str:
    """What is not right although it decrypts, empty if nothing is."""
    if one.file.entries[one.name].is_misbound:
        return "the fingerprint is not that of the ciphertext, as after a wrong merge. See MLK203 of 'mlkeys lint'."
    return ""


def _problems(client: Client, secrets: list[Secret]) -> list[str]:
    """For each secret why it does not decrypt, empty where it does."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        PermissionDenied,
        TransitError,
    )

    found = [""] * len(secrets)
    for key in dict.fromkeys(secret.key for secret in secrets):
        places = [place for place, secret in enumerate(secrets) if secret.key == key]
        group = [secrets[place] for place in places]
        try:
            answers = _decrypting(client, group)
        except PermissionDenied:
            answers = _rewrapping(client, group)
        except TransitError as error:
            raise MlkeysError(error.message) from None
        for place, answer in zip(places, answers, strict=True):
            found[place] = answer
    return found


def _decrypting(client: Client, group: list[Secret]) -> list[str]:
    return [result if isinstance(result, str) else "" for result in results_of_each(client, group)]


def _rewrapping(client: Client, group: list[Secret]) -> list[str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

    file = group[0].file
    items = [stored_item(secret.file.entries[secret.name]) for secret in group]
    with collection.in_plain_words():
        return [answer.reason for answer in Transit(client, file.backend).rewrap_each(file.key, items)]
