# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Text in Terraform JSON. Every string there is a template, so text of a program is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mlkeys._model.marks import Target

_TRAILING_DOLLARS = re.compile(r"\$+\Z")


@dataclass(frozen=True, slots=True)
class Expression:
    """A Terraform expression, as opposed to text."""

    code: str


def escaped(text: str) -> str:
    """Return a template that evaluates to the text."""
    return text.replace("${", "$${").replace("%{", "%%{")


def unescaped(template: str) -> str:
    """Return a template with its escapes removed, for text that is a template already."""
    return template.replace("$${", "${").replace("%%{", "%{")


def read_json(file: str) -> str:
    """Return an expression for the content of a JSON file.

    Args:
        file: its path, relative to the folder of the configuration.
    """
    return f'jsondecode(file("${{path.module}}/{json.dumps(escaped(file), ensure_ascii=False)[1:-1]}"))'


def template(pieces: Sequence[str | Target], meaning: Callable[[Target], str | Expression]) -> str:
    """Render text and references as one template.

    Args:
        meaning: returns what a reference stands for.
    """
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return escaped(pieces[0])
    resolved = [piece if isinstance(piece, str) else meaning(piece) for piece in pieces]
    done = []
    for piece, following in zip_longest(resolved, resolved[1:], fillvalue=""):
        if isinstance(piece, Expression):
            done.append(f"${{{piece.code}}}")
        elif isinstance(following, Expression):
            # A dollar before an interpolation would turn it into text.
            done.append(_TRAILING_DOLLARS.sub(lambda dollars: f"${{{json.dumps(dollars[0])}}}", escaped(piece)))
        else:
            done.append(escaped(piece))
    return "".join(done)
