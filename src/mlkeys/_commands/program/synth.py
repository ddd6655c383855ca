# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys synth`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.project import json_option, out_folder, out_option, program_argument, show_warnings
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import differences, synthesize_for, write


@click.command("synth")
@program_argument
@out_option
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the files are not up to date.")
@click.option(
    "--with-imports",
    is_flag=True,
    help="Ask the server, and let Terraform import what exists: write import blocks for it.",
)
@json_option
@failing_plainly
def command(program: Path, out: Path | None, *, check: bool, with_imports: bool, as_json: bool) -> None:
    """Generate the files that PROGRAM (app.py) describes.

    Checks the whole program first, and shows all problems at once, each with its construct and its line. Nothing is
    written if there are any. The files do not change, byte for byte, until the program changes.

    \b
    Examples:
      mlkeys synth
      mlkeys synth --check          for CI: exit with 1 if the committed files are not up to date
      mlkeys synth prod.py --out build/prod
      mlkeys synth --json           list all files, and the changed ones
      mlkeys synth --with-imports   for the first 'terraform apply' over an existing server
    """
    folder = out_folder(program, out)
    app = load(program)
    made = synthesize_for(app, folder)
    show_warnings(made)
    files = made.files
    if with_imports:
        from mlkeys._commands.program.existing import with_import_blocks

        files = with_import_blocks(app, files)
    different = differences(files, folder)
    if not check:
        write(files, folder)
    if as_json:
        show_json({"folder": str(folder), "files": sorted(files), "changed": different})
    elif not different:
        click.echo(f"{len(files)} files in {folder} are up to date.")
    elif check:
        click.echo("\n".join([f"Not up to date in {folder}:", *(f"  {name}" for name in different)]))
    else:
        gone = len([name for name in different if name not in files])
        removed = f" {gone} removed." if gone else ""
        click.echo(f"{len(files)} files in {folder}, {len(different) - gone} of them changed.{removed}")
    sys.exit(1 if check and different else 0)
