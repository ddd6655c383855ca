# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys rename`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.names import complete
from mlkeys._commands.vars_file.writes import Change, Target, in_turn, show, show_as_json, target
from mlkeys._errors import MlkeysError
from mlkeys._stored.secrets import Secret, check_known, plaintexts
from mlkeys._system import collection


@click.command("rename")
@click.argument("file", type=PathType(dir_okay=False, exists=True, readable=False))
@click.argument("old", shell_complete=complete)
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(file: Path, old: str, new: str, *, as_json: bool) -> None:
    """Rename a secret in FILE, an encrypted vars file.

    The name is the context of the encryption, so the secret is decrypted, in memory, and encrypted again. The token
    needs the capability update on decrypt, encrypt, hmac and verify of the key.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys rename keys.transit.yml openai_key openai_api_key
    """
    changes = in_turn(target(file, None, None), lambda aim: _renamed(aim, old, new))
    if as_json:
        show_as_json(changes, file)
    else:
        show([(change, "") for change in changes], str(file))


def _renamed(aim: Target, old: str, new: str) -> list[Change]:
    """Rename a secret, and return what happened to both names.

    Raises:
        MlkeysError: there is none, or another one has the new name, or it is not text.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded

    check_known([old], aim.file.entries, aim.path)
    if new == old:
        raise MlkeysError(f"'{old}' is the name that it has. Nothing was changed.")
    if new in aim.file.entries:
        raise MlkeysError(f"{aim.path} already has an entry '{new}'. Remove it first: mlkeys unset {aim.path} {new}")
    with collection.connected() as client:
        stored = Secret(old, aim.path, replace(aim.file, backend=aim.backend, key=aim.key))
        try:
            value = decoded(plaintexts(client, [stored])[old])
        except ValueError:
            raise MlkeysError(f"{old} is not UTF-8 text. Encrypt it again under the new name.") from None
        planned = aim.planned(client, {new: value}, purge=False)
        aim.write(client, planned, removed=[old])
    added = [replace(one, reason=f"renamed from {old}") for one in planned.changes if one.name == new]
    return [Change(old, "removed", f"renamed to {new}", stored.version), *added]
