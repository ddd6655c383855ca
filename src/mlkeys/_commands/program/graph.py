# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys graph`."""

from __future__ import annotations

from pathlib import Path

import click

from mlkeys._analysis.diagram import data, mermaid, svg
from mlkeys._analysis.view import View
from mlkeys._commands.errors import failing_plainly, show_json, write_file
from mlkeys._commands.project import json_option, program_argument
from mlkeys._synthesis.program import load
from mlkeys._targets.json_text import json_text


@click.command("graph")
@program_argument
@click.option("--svg", "as_svg", is_flag=True, help="Draw an SVG image instead of Mermaid text.")
@json_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@failing_plainly
def command(program: Path, out: Path | None, *, as_svg: bool, as_json: bool) -> None:
    """Draw the tree of constructs of PROGRAM (app.py), with its references.

    \b
    Examples:
      mlkeys graph                          Mermaid text, which GitHub renders
      mlkeys graph --svg --out tree.svg
      mlkeys graph --json | jq '.references[]'
    """
    if as_svg and as_json:
        raise click.UsageError("Choose one of --svg and --json.")
    view = View(load(program))
    if as_json and out is None:
        show_json(data(view))
        return
    text = json_text(data(view)) if as_json else svg(view) if as_svg else mermaid(view)
    if out is None:
        click.echo(text, nl=False)
        return
    write_file(out, text)
