# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Paths in the arguments and options of commands."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click


class PathType(click.Path):
    """A path, as `pathlib` has it unless `path_type` says otherwise.

    An empty path is a variable of a script that is not set, and not the current folder. An option refuses a path that
    looks like another option: its own path was forgotten.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"path_type": Path, **settings})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        if isinstance(param, click.Option) and isinstance(value, str) and _is_option(value, ctx):
            self.fail(f"a path is missing before {value}. A file of this name is ./{value}", param, ctx)
        return super().convert(value, param, ctx)


class ProgramType(PathType):
    """The path of a program. Who names an inventory in its place learns how to name an inventory."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # False for a path that is too long, which `convert` of all paths reports.
        is_folder = os.path.isdir(value)  # noqa: PTH112
        if is_folder or Path(value).suffix in _NOT_PROGRAMS:
            self.fail(f"{value} is not a Python program.{_way(Path(value), ctx)}", param, ctx)
        return super().convert(value, param, ctx)


#: How the names of inventories and of other settings end.
_NOT_PROGRAMS = (".yml", ".yaml", ".ini", ".cfg", ".toml")


def _way(path: Path, ctx: click.Context | None) -> str:
    """How to name what a path that is not a program may be."""
    program = path / "app.py"
    if program.is_file():
        return f" For the program in it, write: {shlex.quote(str(program))}"
    if _is_option("-i", ctx):
        return f" For an inventory, write: -i {shlex.quote(str(path))}"
    return ""


def _is_option(word: str, ctx: click.Context | None) -> bool:
    """Whether a word begins like an option: with two hyphens, or with a letter that is one of the command."""
    if word.startswith("--"):
        return True
    options = [] if ctx is None else [name for option in ctx.command.get_params(ctx) for name in option.opts]
    return len(word) > 1 and word[:2] in options


#: Commands for single stacks.
_WITH_STACKS = ("deploy", "output")


def command_line(*words: str) -> str:
    """Return a command that helps, as it can be pasted: for the program, the folder and the stacks of this one.

    Args:
        words: name and arguments of the command.
    """
    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    stacks = given.get("stacks") or () if words[0] in _WITH_STACKS else ()
    chosen = [*words, *(word for stack in stacks for word in ("--stack", stack))]
    chosen += [word for inventory in given.get("inventories") or () for word in ("-i", inventory)]
    # Some commands write a report there.
    if given.get("out") is not None and words[0] != "graph":
        chosen += ["--out", str(given["out"])]
    return shlex.join(["mlkeys", *chosen, *program_words(given.get("program"))])


def program_words(program: Path | None) -> list[str]:
    """Return how a command line names a program: not at all if it is the one that commands take themselves."""
    return [] if program in (None, Path("app.py")) else [str(program)]
