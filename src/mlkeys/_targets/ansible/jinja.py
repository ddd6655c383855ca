# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Text in jinja2 templates: text of a program is literal, references become expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from mlkeys._constructs.inventory import Template
from mlkeys._model.marks import Target

_OPENING = re.compile(r"\{(?=[{%#]|\Z)")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, as opposed to text.

    Attributes:
        plaintext: whether its value is a secret, which may hold any character.
        ciphertext: whether its value is a ciphertext, on purpose.
    """

    code: str
    plaintext: bool = False
    ciphertext: bool = False


Meaning = Callable[[Target], "str | Expression"]


def literal(text: str) -> str:
    """Return an expression for a text.

    It contains no backslash, which Ansible reads literally in an option and as an escape in a file, and no brace, which
    a reader could mistake for the end of the expression.
    """
    return " ~ ".join(_literal_piece(piece) for piece in _PIECES.findall(text)) or "''"


_PIECES = re.compile(r"[^'\\{}]+|'+|[\\{}]")


def _literal_piece(piece: str) -> str:
    if piece in "\\{}":
        return f"'%c' % {ord(piece)}"
    return f'"{piece}"' if piece.startswith("'") else f"'{piece}'"


def expression(pieces: Sequence[str | Target], meaning: Meaning) -> str:
    """Return one expression for text and references."""
    resolved = joined([piece if isinstance(piece, str) else meaning(piece) for piece in pieces])
    codes = [literal(piece) if isinstance(piece, str) else piece.code for piece in resolved]
    if len(codes) > 1:
        # A filter binds closer than concatenation.
        codes = [f"({code})" if "|" in code else code for code in codes]
    return " ~ ".join(codes) if codes else "''"


def value(pieces: Sequence[str | Target], meaning: Meaning) -> str | Template:
    """Return text and references as a value: a string when all is known, else a template."""
    resolved = joined([piece if isinstance(piece, str) else meaning(piece) for piece in pieces])
    if not resolved:
        return ""
    if len(resolved) == 1 and isinstance(resolved[0], str):
        return resolved[0]
    return Template(f"{{{{ {expression(pieces, meaning)} }}}}")


def in_file(text: str) -> str:
    """Return the text for use in a file that is a template."""
    return _OPENING.sub("{{ '{' }}", text)


def joined(pieces: Sequence[str | Expression]) -> list[str | Expression]:
    """Join neighbouring texts."""
    done: list[str | Expression] = []
    for is_text, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        found = list(group)
        done += ["".join(map(str, found))] if is_text else found
    return done
