# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys unset`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.names import complete
from mlkeys._commands.vars_file.writes import Change, Target, in_turn, show, show_as_json, target
from mlkeys._stored.secrets import named

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry


@click.command("unset")
@click.argument("file", type=PathType(dir_okay=False, exists=True, readable=False))
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="NAME...",
    shell_complete=complete,
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(file: Path, names: tuple[str, ...], *, as_json: bool) -> None:
    """Remove secrets from FILE, an encrypted vars file. The provider still accepts them: revoke them there.

    In nested data (format 2), NAME is the path of a secret, or of data around secrets. Only the last elements of a list
    can be removed. Needs no server, unless FILE points to a KV document.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys unset keys.transit.yml old_api_key
    """
    entries = in_turn(target(file, None, None), lambda aim: _removed(aim, names))
    changes = [Change(entry.name, "removed", "", entry.version) for entry in entries]
    if as_json:
        show_as_json(changes, file)
    else:
        show([(change, "") for change in changes], str(file))


def _removed(aim: Target, names: Sequence[str]) -> list[Entry]:
    """Remove secrets, and return what they were."""
    paths = named(names, aim.file.entries, aim.path)
    aim.remove(paths)
    return [aim.file.entries[path] for path in paths]
