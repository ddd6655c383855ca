# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys set`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypedDict, Unpack

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.names import complete
from mlkeys._commands.vars_file.writes import (
    Planned,
    Target,
    in_turn,
    refuse_ciphertext,
    show,
    show_as_json,
    target,
)
from mlkeys._errors import MlkeysError
from mlkeys._system import collection
from mlkeys._system.terminal import ask_unseen, notice

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


class _Flags(TypedDict):
    create_key: bool
    allow_ciphertext: bool
    as_json: bool


@click.command("set")
@click.argument("file", type=PathType(dir_okay=False, readable=False))
@click.argument("name", shell_complete=complete)
@click.option("--from-env", metavar="VARIABLE", help="Take the value from this environment variable.")
@click.option("--key", metavar="[ENGINE/]NAME", help="Key for a new file.")
@click.option("--backend", metavar="PATH", help="Path of the Transit engine for a new file. Default: transit.")
@click.option("--create-key", is_flag=True, help="Create the engine and a derived key first, if they do not exist.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["text", "json"]),
    default="text",
    help='json: the value is a number, true, false, null, "", {} or [], in a file for nested data. Default: text.',
)
@click.option("--allow-ciphertext", is_flag=True, help="Encrypt the value although it is a ciphertext.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(
    file: Path,
    name: str,
    from_env: str | None,
    key: str | None,
    backend: str | None,
    kind: str,
    **flags: Unpack[_Flags],
) -> None:
    """Encrypt a value, and store it as NAME in FILE, an encrypted vars file (*.transit.yml, .yaml or .json).

    The value comes from a prompt, which does not show it and takes one line, from standard input, or from --from-env.
    One trailing newline (or \\r\\n) is removed from standard input. All other entries, the comments and the order of
    FILE are kept. Creates FILE if needed.

    In a file for nested data (format 2), NAME is a path, such as providers.openai.api_key or models.0. A new file has
    this format if NAME contains a dot, or with --type json. Use --type json for values that are not text.

    The token needs the capability update on encrypt of the key. It does not need to decrypt. With update on hmac and
    verify as well, a value that is stored already is left as it is; without them, it is encrypted again, and has no
    fingerprint. In a file for nested data, values that are not text, or look like it, need hmac. With --create-key, it
    also needs read on the key, and the capabilities to create what is missing.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys set keys.transit.yml openai_api_key
      pass show openai | mlkeys set keys.transit.yml openai_api_key
      mlkeys set keys.transit.yml providers.openai.api_key
      mlkeys set keys.transit.yml openai_api_key --from-env OPENAI_API_KEY --key ml-api-key --create-key
    """
    aim = target(file, key, backend)
    value: object = _value(file, name, from_env)
    if kind == "json":
        value = _parsed(str(value))
    if not flags["allow_ciphertext"]:
        refuse_ciphertext({name: value})
    planned = in_turn(aim, lambda now: _stored(now, {name: value}, create_key=flags["create_key"]))
    _report(planned, file, name, as_json=flags["as_json"])


def _report(planned: Planned, file: Path, name: str, *, as_json: bool) -> None:
    changes = [change for change in planned.changes if change.name == name]
    if as_json:
        show_as_json(changes, file)
    elif changes[0].action == "kept":
        notice(f"{file} already holds this value of {name}.")
    else:
        show([(change, "") for change in changes], str(file))
    if planned.lacks_fingerprints and name not in planned.plan.request.plain:
        click.echo(
            f"{name} has no fingerprint, because the token may not use hmac of the key. The same value is encrypted "
            "again the next time.",
            err=True,
        )


def _stored(aim: Target, secrets: Mapping[str, object], *, create_key: bool) -> Planned:
    """Encrypt secrets, and write the file."""
    with collection.connected() as client:
        if create_key and (created := aim.create_key(client)):
            click.echo(f"Created {' and '.join(created)}.", err=True)
        else:
            _check_key(aim, client)
        planned = aim.planned(client, secrets, purge=False, may_lack_fingerprints=True)
        return aim.write(client, planned)


def _check_key(aim: Target, client: Client) -> None:
    """
    Raises:
        MlkeysError: the engine is of another type, or the key or its engine does not exist.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import MountNotFound, NotFound

    try:
        aim.check_key(client)
    except (MountNotFound, NotFound) as missing:
        raise MlkeysError(f"{missing} To create what is missing, add --create-key.") from None


def _parsed(text: str) -> object:
    """
    Raises:
        MlkeysError: it is not JSON, nested, or a number that is too large.
    """
    try:
        value: object = json.loads(text, parse_constant=_refused, parse_float=_finite)
    except ValueError:
        raise MlkeysError("The value is not JSON.") from None
    if isinstance(value, (dict, list)) and value:
        raise MlkeysError("The value is nested: set each of its secrets by its path, or use 'mlkeys edit'.")
    return value


def _refused(_constant: str) -> NoReturn:
    """Values that Python reads as numbers, and JSON does not have: NaN and Infinity."""
    raise ValueError("not JSON")


def _finite(number: str) -> float:
    """
    Raises:
        MlkeysError: the number is so large that it is read as Infinity.
    """
    found = float(number)
    if not isfinite(found):
        raise MlkeysError("The value has a number that is too large: the largest is about 1.8e308.")
    return found


def _value(file: Path, name: str, variable: str | None) -> str:
    """The value from where it is to come.

    Raises:
        MlkeysError: there is none, it is not text, or several lines were entered at the prompt.
    """
    if variable is not None:
        value = os.environ.get(variable)
        source = f"the environment variable {variable} is {'not set' if value is None else 'empty'}"
    elif sys.stdin.isatty():
        advice = f"pipe it (mlkeys set {file} {name} < FILE), or use 'mlkeys import file'"
        value = ask_unseen(f"Value of {name}", advice)
        source = "nothing was entered"
    else:
        source = "standard input is empty"
        try:
            value = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError:
            raise MlkeysError("Standard input is not UTF-8 text.") from None
        value = value.removesuffix("\r\n" if value.endswith("\r\n") else "\n")
    if not value:
        raise MlkeysError(f'No value: {source}. To store an empty text, pass the two characters "" with --type json.')
    return value
