# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys show`."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.names import complete
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._stored.secrets import Secret, chosen_files, only, open_content, plaintexts_of_each, secrets_of_each
from mlkeys._system import collection

_MASK = "********"


@click.command("show")
@click.argument("file", type=PathType(readable=False), metavar="FILE|DIR")
@click.argument("name", required=False, shell_complete=complete)
@click.option("--reveal", is_flag=True, help="Decrypt, and show the values.")
@click.option("--force", is_flag=True, help="Write values although the output is not a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(file: Path, name: str | None, *, reveal: bool, force: bool, as_json: bool) -> None:
    """Show the secrets of FILE, an encrypted vars file, or one of them.

    Values are masked, and nothing is decrypted, unless you add --reveal. Values are only written to a terminal, unless
    you add --force. With NAME and --reveal, the output is the value alone, with a newline on a terminal only.

    In nested data (format 2), NAME is the path of a secret, or of data around secrets. Values that the file leaves
    unencrypted are not secrets, and are always shown.

    With --reveal, the token needs the capability update on decrypt of the key.

    \b
    Examples:
      mlkeys show keys.transit.yml
      mlkeys show keys.transit.yml openai_api_key --reveal
    """
    if reveal and not (force or sys.stdout.isatty()):
        raise MlkeysError("The output is not a terminal: it may be kept. Add --force if that is what you want.")
    collection.load_reading()
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import as_content

    with ExitStack() as stack:
        connect = lru_cache(lambda: stack.enter_context(collection.connected_to_read()))
        secrets = only(secrets_of_each(connect, chosen_files([file])), [name] if name else [])
        values = {place: as_content(open_content(one)) for place, one in enumerate(secrets) if one.is_open}
        sealed = [place for place, one in enumerate(secrets) if not one.is_open]
        if reveal and sealed:
            found = plaintexts_of_each(connect(), [secrets[place] for place in sealed])
            values |= dict(zip(sealed, found, strict=True))
    if as_json:
        click.echo(json.dumps([_facts(one, values.get(place)) for place, one in enumerate(secrets)], indent=2))
    elif reveal and name is not None and [secret.name for secret in secrets] == [name]:
        _write(values[0], raw=force)
    else:
        _table(secrets, {place: value.decode(errors="replace") for place, value in values.items()})


def _write(value: bytes, *, raw: bool) -> None:
    """Write a value alone, on a terminal without what would control it, unless that is wanted."""
    if raw or not sys.stdout.isatty():
        sys.stdout.buffer.write(value + (b"\n" if sys.stdout.isatty() else b""))
    else:
        click.echo(printable(value.decode(errors="replace")))


def _facts(secret: Secret, value: bytes | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": secret.name,
        "file": str(secret.path),
        "key": secret.key,
        "version": secret.version,
        "sensitive": not secret.is_open,
    }
    if value is not None:
        facts["value"] = _typed(value)
    return facts


def _typed(content: bytes) -> Any:
    """A value with the type that its file gives it. What is not text shows as the bytes that it is."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json, decoded

    return decoded(content) if isinstance(content, Json) else os.fsdecode(content)


def _table(secrets: list[Secret], values: dict[int, str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for heading in ("secret", "value", "version", "key"):
        table.add_column(heading, overflow="fold")
    for place, one in enumerate(secrets):
        version = "not encrypted" if one.is_open else f"v{one.version}"
        cells = (one.name, values.get(place, _MASK), version, one.key)
        # Anyone who stored a value decides which characters are in it.
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(highlight=False).print(table)
