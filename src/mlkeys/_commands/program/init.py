# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys init`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from mlkeys._commands.errors import cannot_write, failing_plainly
from mlkeys._errors import MlkeysError

_TEMPLATES = Path(__file__).parents[2] / "_templates"
_NAMES = ("seed", "llm-gateway", "multi-env")

_IGNORED = "# What mlkeys makes of the program. Commit it to review it, or leave it out as here.\nmlkeys.out/\n"


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--template", type=click.Choice(_NAMES), default="seed", show_default=True, help="What to start from.")
@failing_plainly
def command(folder: Path, template: str) -> None:
    """Start a project in FOLDER (here), from a template.

    \b
    seed          an engine, a key, one API key that is encrypted with it
    llm-gateway   API keys of many providers in the files of several hosts, and the role that may decrypt them
    multi-env     dev, stage and prod from one description, with rules for all

    \b
    Examples:
      mlkeys init gateway --template llm-gateway
    Then, in that folder:
      mlkeys dev -- mlkeys deploy       on a server that is thrown away
      mlkeys deploy                     on the server of BAO_ADDR, with the token of BAO_TOKEN
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise MlkeysError(f"{folder} is not empty.")
    try:
        _copy(_TEMPLATES / template.replace("-", "_"), folder)
    except OSError as problem:
        refused = cannot_write(folder, problem)
    else:
        click.echo(f"Next: cd {folder} && mlkeys synth")
        return
    raise refused


def _copy(source: Path, folder: Path) -> None:
    for path in sorted(source.rglob("*")):
        # Installers compile what looks like a module.
        if path.is_file() and path.suffix != ".pyc":
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            click.echo(f"Wrote {target}")
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
