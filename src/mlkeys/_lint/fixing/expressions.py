# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where a reference of Ansible would not be replaced, or would mean something else."""

from __future__ import annotations

import re

from mlkeys._lint.scalars import Scalar

# Ansible evaluates these without braces.
_BARE = {"when", "that", "failed_when", "changed_when", "until", "break_when", "var"}
# The value of these is the name of a variable.
_NAMES = {"register", "loop_var", "index_var"}
# The same as arguments of a module in one text.
_ARGUMENT = re.compile(r"(?:\A|\s)(?:var|that)=(?:\"[^\"]*|'[^']*|[^\s\"']*)\Z")
_WITH_ARGUMENTS = re.compile(r"(?:.*\.)?(?:debug|assert|action|local_action)\Z")
_TEXT = r"(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|.)*?"
_PIECE = re.compile(
    r"(?P<raw>\{%[-+]?\s*raw\s*[-+]?%\}.*?(?:\{%[-+]?\s*endraw\s*[-+]?%\}|\Z))"
    r"|(?P<comment>\{#.*?(?:#\}|\Z))"
    rf"|(?P<expression>\{{\{{{_TEXT}(?:\}}\}}|\Z)|\{{%{_TEXT}(?:%\}}|\Z))",
    re.DOTALL,
)
_DELIMITERS = re.compile(r"\A#jinja2:.*_(?:start|end)_string", re.IGNORECASE)


def reason_in_template(text: str, start: int) -> str:
    """Why no reference can be written at a place of a template; empty if one can."""
    if _DELIMITERS.match(text):
        return "the template has delimiters of its own"
    for piece in _PIECE.finditer(text):
        if piece.start() <= start < piece.end():
            if piece["raw"]:
                return "it is between {% raw %} and {% endraw %}, where nothing is replaced"
            return "" if piece["comment"] else "it is in an expression of a template; write a variable there by hand"
    return ""


def reason_in_value(text: str, scalar: Scalar, start: int) -> str:
    """The same for a value in a file of Ansible."""
    if scalar.key in _BARE:
        return f"the value of {scalar.key}: is an expression; write a variable there by hand"
    if scalar.key in _NAMES:
        return f"the value of {scalar.key}: is the name of a variable"
    if _WITH_ARGUMENTS.match(scalar.key) and _ARGUMENT.search(text[scalar.start : start]):
        return "it is in an expression; write a variable there by hand"
    return reason_in_template(text[scalar.start : scalar.end], start - scalar.start)
