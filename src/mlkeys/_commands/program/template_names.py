# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The names that templates of a program use."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

from mlkeys._commands.errors import cannot_read
from mlkeys._shared.names import VARIABLE_NAME


def names_in_files_of(folder: Path) -> Callable[[str], AbstractSet[str]]:
    """Return what reads a template below a folder and returns its names.

    It raises MlkeysError if the template cannot be read.
    """

    def names_in(template: str) -> AbstractSet[str]:
        path = folder / template
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise cannot_read(path, problem) from None
        return names_of(text)

    return names_in


def names_of(template: str) -> AbstractSet[str]:
    """Return the variables that a template uses, and the strings in it, which can name variables of a lookup."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    reader = Environment(autoescape=False, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])  # noqa: S701  parses only
    try:
        tree = reader.parse(template)
    except TemplateSyntaxError:
        # Ansible lets a template choose its own delimiters.
        return {*VARIABLE_NAME.findall(template)}
    strings = {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    return {node.name for node in tree.find_all(nodes.Name)} | strings
