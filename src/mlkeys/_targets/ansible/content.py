# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Contents of files on hosts: data in a known shape, as a template, and the templates that a program names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkeys._providers.literals import secret_form
from mlkeys._shared.shapes import UnsupportedValue, quoted, rendered
from mlkeys._targets.ansible.jinja import Expression, in_file
from mlkeys._targets.ansible.values import Values

_QUOTED = "mlkeys.transit.quoted"

#: Shapes by keyword, where the names differ.
SHAPE_OF = {"env": "dotenv", "exports": "shell"}


def content(keyword: str, data: Any, values: Values) -> str:
    """Return the template, without a header. Values that are known later are quoted by Ansible.

    Args:
        keyword: the keyword of `HostConfig` that sets the data.
    """
    shape = _shape_of(keyword)

    def leaf(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        pieces = values.pieces(value)
        if not any(isinstance(piece, Expression) for piece in pieces):
            return in_file(quoted(shape, "".join(map(str, pieces))))
        code = values.expression(value)
        # A string of the program stays a string, whatever the server returns.
        text = code if code.isidentifier() else f"({code}) | string"
        # What is meant to be plaintext must never be ciphertext.
        is_sealed = any(isinstance(piece, Expression) and piece.ciphertext for piece in pieces)
        options = f"'{shape}', allow_ciphertext=true" if is_sealed else f"'{shape}'"
        return f"{{{{ {text} | {_QUOTED}({options}) }}}}"

    return rendered(shape, data, leaf, in_file)


def problem_of(keyword: str, data: Any) -> str | None:
    """Return why the data cannot be written in the shape, None when it can."""
    try:
        rendered(_shape_of(keyword), data)
    except UnsupportedValue as problem:
        return str(problem)
    return None


def _shape_of(keyword: str) -> str:
    return SHAPE_OF.get(keyword, keyword)


def problem_of_template(name: str, sources: Mapping[str, str]) -> str | None:
    """Return what is wrong with a template, None when nothing is. jinja2 parses it, so that errors show at once."""
    text = sources.get(name)
    if text is None:
        return f"cannot read the template {name!r}: the path is relative to the folder of the program"
    if form := secret_form(text):
        return f"the template {name!r} holds what looks like {form}: encrypt it, and use the ciphertext"
    # Only programs with templates need it, and importing it takes longer than all the rest.
    import jinja2  # noqa: PLC0415

    try:
        jinja2.Environment(autoescape=False).parse(text)  # noqa: S701  nothing is rendered
    except jinja2.TemplateSyntaxError as mistake:
        line, message = mistake.lineno, mistake.message
    else:
        return None
    return f"the template {name!r} has a syntax error in line {line}: {message}"
