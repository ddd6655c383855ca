# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys graph`."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from types import ModuleType

import click

from mlkeys._analysis.diagram import data, mermaid, svg
from mlkeys._analysis.folding import folded
from mlkeys._analysis.picture import Picture, picture
from mlkeys._analysis.view import View
from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.paths import PathType, command_line
from mlkeys._commands.program.template_names import names_in_files_of
from mlkeys._commands.project import json_option, program_argument
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._shared.suggestions import did_you_mean
from mlkeys._synthesis.program import load
from mlkeys._system import report_files
from mlkeys._targets.json_text import json_text

#: How the files end that this command writes. Such a name beside --html, --svg or --json is the one of --out.
_WRITTEN = (".svg", ".html", ".json", ".mmd", ".md")
#: The oldest release that was tried.
_LAYOUT = "igraph>=1.0"


@click.command("graph")
@program_argument
@click.argument("written", type=PathType(dir_okay=False), metavar="[FILE]", required=False)
@click.option("--svg", "as_svg", is_flag=True, help="Draw an SVG image instead of Mermaid text.")
@click.option("--html", "as_html", is_flag=True, help="Write an overview page: the image, a filter, and tables.")
@click.option(
    "--focus",
    metavar="NAME",
    multiple=True,
    help="Draw only what leads to this name, what follows from it, and who may use its key; repeatable.",
)
@json_option
@click.option("--out", type=PathType(dir_okay=False), help="Write to this file: a new one, or an earlier report.")
@failing_plainly
def command(
    program: Path,
    written: Path | None,
    out: Path | None,
    focus: tuple[str, ...],
    *,
    as_svg: bool,
    as_html: bool,
    as_json: bool,
) -> None:
    """Draw what PROGRAM (app.py) describes: engines, keys, secrets, who may use them, files and hosts.

    --html FILE, --svg FILE and --json FILE are short for --html --out FILE.

    More than eight secrets of one key are one box, and so are boxes that are
    alike in a column of more than 24, unless you give --focus.

    \b
    Examples:
      mlkeys graph                                  Mermaid text, which GitHub renders
      mlkeys graph --svg graph.svg                  needs mlkeys[graph]
      mlkeys graph --html graph.html
      mlkeys graph --focus openai_api_key --svg     which hosts have this key?
      mlkeys graph --json | jq '.lines[]'
    """
    if as_svg + as_html + as_json > 1:
        raise click.UsageError("Choose one of --svg, --html and --json.")
    flags = [name for name, chosen in (("--svg", as_svg), ("--html", as_html), ("--json", as_json)) if chosen]
    program, out = _program_and_file(program, written, out, flags)
    # Messages name the program of the command.
    click.get_current_context().params["program"] = program
    view = View(load(program))
    drawn = _focused(picture(view, names_in_files_of(program.parent)), focus)
    shown = drawn if focus else folded(drawn)
    if as_json and out is None:
        show_json(data(view, drawn))
        return
    if as_json:
        text = json_text(data(view, drawn))
    elif as_html:
        # Few runs need it.
        from mlkeys._commands.program.graph_page import page

        text = page(program.absolute().parent.name, drawn, shown, _layout_library())
    else:
        text = svg(shown, _layout_library()) if as_svg else mermaid(shown)
    if out is None:
        click.echo(text, nl=False)
        return
    report_files.write(out, text)


def _program_and_file(
    program: Path, written: Path | None, out: Path | None, flags: list[str]
) -> tuple[Path, Path | None]:
    """The program and the file to write to, in whichever order the two were named."""
    if program.suffix in _WRITTEN and flags:
        program, written = (Path("app.py") if written is None else written), program
    if program.suffix in _WRITTEN:
        right = shlex.join(["mlkeys", "graph", *flags, "--out", str(program)])
        raise click.UsageError(printable(f"{program} is not a program. To write to it, run: {right}"))
    if written is None:
        return program, out
    if out is not None or not flags:
        raise click.UsageError(printable(f"Name one program, and one file to write to: {written} is one too many."))
    return program, written


def _focused(drawn: Picture, names: tuple[str, ...]) -> Picture:
    if not names:
        return drawn
    try:
        return drawn.around(names)
    except KeyError as unknown:
        name = unknown.args[0]
        near = did_you_mean(name, sorted({box.name for box in drawn.boxes.values()}))
        raise MlkeysError(f"The picture has no {name}.{near} '{command_line('graph')}' shows all names.") from None


def _layout_library() -> ModuleType:
    try:
        return importlib.import_module("igraph")
    except ImportError:
        raise MlkeysError(
            f"{_LAYOUT} is not installed beside mlkeys: pip install 'mlkeys[graph]'. Mermaid text needs no library."
        ) from None
