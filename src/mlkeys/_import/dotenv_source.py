# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`.env` files."""

from __future__ import annotations

import io
import re

from mlkeys._errors import MlkeysError
from mlkeys._import.values import NOTHING, TEXT, Value, refuse

#: What python-dotenv and shells would replace.
REFERENCE = re.compile(r"\$\{")


def dotenv_values(text: str, path: str) -> list[Value]:
    """The variables of a `.env` file.

    Raises:
        MlkeysError: a line is no assignment, or python-dotenv is not installed.
    """
    try:
        from dotenv.parser import parse_stream
    except ImportError:
        parse_stream = None  # type: ignore[assignment]  what is missing is said below
    if parse_stream is None:
        raise MlkeysError("python-dotenv is not installed beside mlkeys: pip install 'mlkeys[ansible]'")
    bindings = [binding for binding in parse_stream(io.StringIO(text)) if binding.error or binding.key is not None]
    refuse(path, [f"line {_line(binding)} is no assignment (NAME=value)" for binding in bindings if binding.error])
    return [
        Value((str(binding.key),), binding.value or "", NOTHING if binding.value is None else TEXT, _line(binding))
        for binding in bindings
    ]


def _line(binding: object) -> int:
    """Where the assignment itself begins, after blank lines that are counted among it."""
    original = binding.original  # type: ignore[attr-defined]  a class of python-dotenv's own
    blank = len(original.string) - len(original.string.lstrip())
    return int(original.line) + int(original.string[:blank].count("\n"))
