# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys rotate`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypedDict, Unpack

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.fleet.targets import Fleet, Key, for_fleets
from mlkeys._commands.playbook import Run
from mlkeys._commands.project import json_option
from mlkeys._commands.stacks import run_each
from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key of one fleet."""

    fleet: Fleet
    key: Key

    def __str__(self) -> str:
        return f"{self.key} of {self.fleet.name}"

    @property
    def variables(self) -> dict[str, object]:
        return {"vault_transit_rotate_key": self.key.name, "vault_transit_rotate_backend": self.key.backend}


class Options(TypedDict):
    """The options; `limit` selects hosts, `at_most` limits ciphertexts."""

    older_than: int
    now: bool
    replaced: tuple[str, ...]
    limit: str | None
    at_most: int | None
    serial: str | None
    keep_floor: bool
    trim: bool
    backup_dir: Path | None
    backup_recipients: tuple[str, ...]
    dry_run: bool


def _serial(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and re.fullmatch(r"[1-9][0-9]*%?", value) is None:
        raise click.BadParameter("give a number of hosts, or a percentage such as 25%.")
    return value


@click.command("rotate")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="ENGINE/NAME",
    help="Rotate this key; repeatable. Default: all keys of PROGRAM.",
)
@click.option(
    "--older-than",
    metavar="DAYS",
    type=click.IntRange(1),
    default=90,
    show_default=True,
    help="Rotate keys whose latest version is at least this old.",
)
@click.option("--now", is_flag=True, help="Rotate regardless of age.")
@click.option(
    "--replace",
    "replaced",
    multiple=True,
    metavar="SECRET",
    help="Replace a leaked secret everywhere, and rotate now; repeatable. The new value is read from the environment "
    "(OPENAI_API_KEY for openai_api_key), or prompted for.",
)
@click.option("--limit", metavar="PATTERN", help="Only these hosts. The floor is not raised until all hosts are done.")
@click.option(
    "--at-most",
    metavar="COUNT",
    type=click.IntRange(0),
    help="Rewrap at most this many ciphertexts on each host in this run.",
)
@click.option("--serial", metavar="HOSTS", callback=_serial, help="Hosts at a time, as a number or a percentage.")
@click.option(
    "--keep-floor",
    is_flag=True,
    help="Do not raise the floor (min_decryption_version): old versions can still decrypt.",
)
@click.option(
    "--trim",
    is_flag=True,
    help="Delete the key versions below the floor permanently. Ciphertexts of these versions are lost.",
)
@click.option(
    "--backup-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Store an encrypted backup of each key in this folder, before and after its rotation. The key must allow "
    "backups. Requires the Python package pyrage (pip install mlkeys[backup]) or GnuPG.",
)
@click.option(
    "--backup-recipient",
    "backup_recipients",
    multiple=True,
    metavar="RECIPIENT",
    help="Who can decrypt the backups: an age or SSH public key, or the fingerprint of a GnuPG key; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, without changing anything.")
@json_option
@failing_plainly
@for_fleets
def command(fleets: list[Fleet], *, as_json: bool, keys: Sequence[str], **options: Unpack[Options]) -> None:
    """Rotate keys and rewrap their ciphertexts everywhere.

    Rotates each key that is old enough, rewraps its ciphertexts in the encrypted vars files and in the files of the
    hosts, verifies that none is left, and then raises the floor (min_decryption_version), below which the server
    decrypts nothing. If a run is interrupted, run the command again to finish it. The floor is not raised while a host
    is unreachable.

    The hosts are those of PROGRAM (app.py) or of an inventory (see the playbook mlkeys.transit.rotate for its
    variables). They need neither a token nor additional libraries.

    \b
    Examples:
      mlkeys rotate --dry-run
      mlkeys rotate                                  keys older than 90 days, for cron
      mlkeys rotate --key transit/ml-api-key --now
      mlkeys rotate --replace openai_api_key         after a leak
      mlkeys rotate -i inventory.yml --key transit/ml-api-key --serial 25%
      mlkeys rotate --backup-dir backups --backup-recipient age1...
    """
    if bool(options["backup_dir"]) is not bool(options["backup_recipients"]):
        raise click.UsageError(
            "--backup-dir and --backup-recipient must be used together: backups are always encrypted."
        )
    rotations = {str(rotation): rotation for rotation in _chosen(fleets, keys)}
    if not rotations:
        raise MlkeysError("No key to rotate: the program encrypts nothing.")
    environment = _new_values(options["replaced"])
    variables = _variables(options)
    arguments = ["--check", "--diff"] if options["dry_run"] else []

    def run(name: str, show: TextIO) -> Run:
        rotation = rotations[name]
        return rotation.fleet.run(
            "rotate",
            {**rotation.variables, **variables},
            arguments,
            limit=options["limit"],
            show=show,
            extra=environment,
        )

    # A failure of one key must not hold up the others.
    done = run_each(list(rotations), run, kind="key", as_json=as_json, go_on=True)
    if failed := [name for name, ran in done.items() if ran.status]:
        raise MlkeysError(f"Not finished: {', '.join(failed)}. Fix the errors and rerun; completed steps are kept.")


def _chosen(fleets: Sequence[Fleet], names: Sequence[str]) -> list[Rotation]:
    if not fleets[0].generated:
        if not names:
            raise MlkeysError("An inventory does not define keys: name them with --key ENGINE/NAME.")
        return [Rotation(fleets[0], _key(name)) for name in names]
    known = [Rotation(fleet, key) for fleet in fleets for key in fleet.keys]
    for name in names:
        if name not in {str(rotation.key) for rotation in known}:
            raise MlkeysError(f"--key {name}: {unknown_problem(name, {str(rotation.key) for rotation in known})}")
    return [rotation for rotation in known if not names or str(rotation.key) in names]


def _key(text: str) -> Key:
    backend, slash, name = text.strip("/").rpartition("/")
    if not slash:
        raise MlkeysError(f"--key {text}: include the engine, as in transit/{text}.")
    return Key(backend, name)


def _variables(options: Options) -> dict[str, object]:
    given: dict[str, object] = {
        "older_than": 0 if options["now"] or options["replaced"] else f"{options['older_than']}d",
        "limit": options["at_most"],
        "serial": options["serial"],
        "floor": False if options["keep_floor"] else None,
        "trim": True if options["trim"] else None,
        "secrets": {name: f"{{{{ lookup('ansible.builtin.env', '{name.upper()}') }}}}" for name in options["replaced"]}
        or None,
        # The playbook runs in another folder.
        "backup_dir": str(folder.resolve()) if (folder := options["backup_dir"]) else None,
        "backup_recipients": list(options["backup_recipients"]) or None,
    }
    return {f"vault_transit_rotate_{name}": value for name, value in given.items() if value is not None}


def _new_values(names: Sequence[str]) -> dict[str, str]:
    """The new values of leaked secrets, as environment variables."""
    values = {}
    for name in names:
        if not name.isidentifier():
            raise MlkeysError(f"--replace {name}: this is not the name of a secret.")
        variable = name.upper()
        if not os.environ.get(variable):
            if not sys.stdin.isatty():
                raise MlkeysError(f"The new value of {name} is missing: set {variable}.")
            values[variable] = click.prompt(f"New value of {name}", hide_input=True, err=True)
    return values
