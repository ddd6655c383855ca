# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys upgrade`."""

from __future__ import annotations

from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.paths import PathType
from mlkeys._commands.vars_file.writes import Target, in_turn, target
from mlkeys._system.terminal import notice


@click.command("upgrade")
@click.argument("file", type=PathType(dir_okay=False, exists=True, readable=False))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@failing_plainly
def command(file: Path, *, as_json: bool) -> None:
    """Turn FILE, an encrypted vars file, into format 2, which also holds nested data, numbers and booleans.

    Its ciphertexts, names and comments stay as they are. Releases of mlkeys without format 2 cannot read FILE any more.
    Needs no server, unless FILE points to a KV document.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys upgrade keys.transit.yml
      mlkeys set keys.transit.yml providers.openai.api_key
    """
    is_done = not in_turn(target(file, None, None), _upgraded)
    if as_json:
        show_json({"file": str(file), "format": 2, "changed": not is_done})
    else:
        notice(f"{file} has format 2 already." if is_done else f"{file} now has format 2.")


def _upgraded(aim: Target) -> bool:
    """Whether the file was of format 1 before."""
    if not aim.is_nested:
        aim.upgrade()
    return not aim.is_nested
