# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Text in templates: what a program wrote has to mean itself, references become expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlkeys._constructs.inventory import Template
from mlkeys._model.reference import Target

_OPENING = re.compile(r"\{(?=[{%#]|\Z)")


@dataclass(frozen=True, slots=True)
class Expression:
    """Code of a template, as opposed to text.

    `plaintext` says that its value is a secret, of which nobody knows the characters.
    """

    code: str
    plaintext: bool = False


Meaning = Callable[[Target], "str | Expression"]


def literal(text: str) -> str:
    """The text as an expression.

    Without a backslash in it: Ansible takes one in an option literally, and one in a file as an escape. Without
    braces: no reader that looks for the end of an expression shall find it in a text.
    """
    return " ~ ".join(_literal_piece(piece) for piece in _PIECES.findall(text)) or "''"


_PIECES = re.compile(r"[^'\\{}]+|'+|[\\{}]")


def _literal_piece(piece: str) -> str:
    if piece in "\\{}":
        return f"'%c' % {ord(piece)}"
    return f'"{piece}"' if piece.startswith("'") else f"'{piece}'"


def expression(pieces: Sequence[str | Target], meaning: Meaning) -> str:
    """The text as one expression."""
    resolved = joined([piece if isinstance(piece, str) else meaning(piece) for piece in pieces])
    codes = [literal(piece) if isinstance(piece, str) else piece.code for piece in resolved]
    if len(codes) > 1:
        # A filter binds closer than the joining of texts.
        codes = [f"({code})" if "|" in code else code for code in codes]
    return " ~ ".join(codes) if codes else "''"


def value(pieces: Sequence[str | Target], meaning: Meaning) -> str | Template:
    """The text as a value of a variable or an option: itself when it is known, else a template."""
    resolved = joined([piece if isinstance(piece, str) else meaning(piece) for piece in pieces])
    if not resolved:
        return ""
    if len(resolved) == 1 and isinstance(resolved[0], str):
        return resolved[0]
    return Template(f"{{{{ {expression(pieces, meaning)} }}}}")


def in_file(text: str) -> str:
    """The text inside of a file that is a template."""
    return _OPENING.sub("{{ '{' }}", text)


def joined(pieces: Sequence[str | Expression]) -> list[str | Expression]:
    """Neighbouring texts as one."""
    done: list[str | Expression] = []
    for piece in pieces:
        if isinstance(piece, str) and done and isinstance(done[-1], str):
            done[-1] += piece
        else:
            done.append(piece)
    return done
