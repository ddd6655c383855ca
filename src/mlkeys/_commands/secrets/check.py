# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._stored.secrets import FileProblem, Secret, files_below, results_of_each, secrets_of
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


@click.command("check")
@click.argument("files", nargs=-1, type=PathType(readable=False), metavar="[FILE|DIR]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check that every secret of encrypted vars files still decrypts. Default: those in the current folder.

    In a folder, all files are checked, including those in subfolders that are not hidden. Each file is checked
    separately, so several can hold the same names.

    Without permission to decrypt, the ciphertexts are rewrapped instead, and the result is discarded: the server
    decrypts them for that, but does not return the plaintext. So the token needs the capability update on decrypt or on
    rewrap of the keys. Exits with 1 if a secret does not decrypt, or a file cannot be read or holds no secrets. The
    others are still checked.

    \b
    Examples:
      mlkeys check group_vars
    """
    with collection.connected_to_read() as client:
        found, unread = _read(client, files)
        secrets = [secret for secret in found if not secret.is_open]
        problems = _problems(client, secrets)
    if as_json:
        rows = [_row(one, problem) for one, problem in zip(secrets, problems, strict=True)]
        click.echo(json.dumps([*rows, *map(_row_of_file, unread)], indent=2))
    else:
        _show(secrets, problems, unread)
    if any(problems) or unread:
        sys.exit(1)


def _read(client: Client, files: Sequence[Path]) -> tuple[list[Secret], list[FileProblem]]:
    """The secrets of all files that can be read, and why others cannot."""
    paths, problems = files_below(files)
    found = []
    for path in paths:
        try:
            found += secrets_of(lambda: client, path)
        except MlkeysError as error:
            problems.append(FileProblem(path, str(error)))
    return found, problems


def _row(one: Secret, problem: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "file": str(one.path),
        "key": one.key,
        "version": one.version,
        "problem": problem,
        "warning": _warning(one),
    }


def _row_of_file(one: FileProblem) -> dict[str, Any]:
    return {
        "name": None,
        "file": str(one.path),
        "key": None,
        "version": None,
        "problem": printable(one.problem),
        "warning": "",
    }


def _show(secrets: list[Secret], problems: list[str], unread: list[FileProblem]) -> None:
    for one, problem in zip(secrets, problems, strict=True):
        if not problem and (warning := _warning(one)):
            click.secho(printable(f"{one.path}: {one.name}: {warning}"), fg="yellow")
    # A key that is gone, and a missing right, are the same problem for each of its secrets.
    groups: dict[tuple[Path, str], list[str]] = {}
    for one, problem in zip(secrets, problems, strict=True):
        if problem:
            groups.setdefault((one.path, problem), []).append(one.name)
    for (path, problem), names in groups.items():
        click.secho(printable(f"{path}: {', '.join(names)}: {problem}"), fg="red")
    for file in unread:
        named = file.problem if str(file.path) in file.problem else f"{file.path}: {file.problem}"
        click.secho(printable(named), fg="red")
    good = problems.count("")
    decrypting = f"{good} of {len(secrets)} {'secret decrypts' if len(secrets) == 1 else 'secrets decrypt'}."
    others = "file or folder" if len(unread) == 1 else "files or folders"
    click.echo(decrypting + (f" {len(unread)} {others} could not be checked." if unread else ""))


def _warning(one: Secret) -> str:
    """What is not right although it decrypts, empty if nothing is."""
    if one.file.entries[one.name].is_misbound:
        return "the fingerprint is not that of the ciphertext, as after a wrong merge. See MLK203 of 'mlkeys lint'."
    return ""


def _problems(client: Client, secrets: list[Secret]) -> list[str]:
    """For each secret why it does not decrypt, empty where it does.

    Raises:
        MlkeysError: the server does not answer, or not with this token.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        NotReady,
        ServerError,
        Unauthenticated,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import located

    found = [""] * len(secrets)
    for key in dict.fromkeys(secret.key for secret in secrets):
        places = [place for place, secret in enumerate(secrets) if secret.key == key]
        group = [secrets[place] for place in places]
        with collection.in_plain_words():
            try:
                file = group[0].file
                answers = [located(client, file.backend, file.key, problem) for problem in _checked(client, group)]
            except (NotReady, Unauthenticated):
                raise
            except ServerError as error:
                # That of one key, such as one that was deleted.
                answers = [error.message] * len(group)
        for place, answer in zip(places, answers, strict=True):
            found[place] = answer
    return found


def _checked(client: Client, group: list[Secret]) -> list[str]:
    """The same for the secrets of one key.

    Raises:
        TransitError: the server refuses a whole request.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied

    try:
        return [result if isinstance(result, str) else "" for result in results_of_each(client, group)]
    except PermissionDenied:
        return _rewrapping(client, group)


def _rewrapping(client: Client, group: list[Secret]) -> list[str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

    file = group[0].file
    items = [stored_item(secret.file.entries[secret.name]) for secret in group]
    return [answer.reason for answer in Transit(client, file.backend).rewrap_each(file.key, items)]
