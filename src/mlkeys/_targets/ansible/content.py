# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Contents of files on hosts: data in a known shape, as the text of a template."""

from __future__ import annotations

from typing import Any

from mlkeys._shared.shapes import UnsupportedValue, quoted, rendered
from mlkeys._targets.ansible.jinja import Expression, in_file
from mlkeys._targets.ansible.values import Values

_QUOTED = "mlkeys.transit.quoted"

#: What is called otherwise in a program.
SHAPE_OF = {"env": "dotenv", "exports": "shell"}


def content(keyword: str, data: Any, values: Values) -> str:
    """The template's text, without a header. What is known later is quoted when Ansible knows it.

    Args:
        keyword: the one by which a program gives the data.
    """
    shape = _shape_of(keyword)

    def leaf(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        pieces = values.pieces(value)
        if not any(isinstance(piece, Expression) for piece in pieces):
            return in_file(quoted(shape, "".join(map(str, pieces))))
        code = values.expression(value)
        # It is a text in the program, whatever the server gives.
        text = code if code.isidentifier() else f"({code}) | string"
        return f"{{{{ {text} | {_QUOTED}('{shape}') }}}}"

    return rendered(shape, data, leaf, in_file)


def problem_of(keyword: str, data: Any) -> str | None:
    """Why the data does not fit into the shape, None when it does."""
    try:
        rendered(_shape_of(keyword), data)
    except UnsupportedValue as problem:
        return str(problem)
    return None


def _shape_of(keyword: str) -> str:
    return SHAPE_OF.get(keyword, keyword)
