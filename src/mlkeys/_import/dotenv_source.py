# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`.env` files."""

from __future__ import annotations

import importlib.util
import io
import re
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.values import NOTHING, TEXT, Value, refuse

if TYPE_CHECKING:
    from dotenv.parser import Binding

#: python-dotenv and shells replace these.
REFERENCE = re.compile(r"\$\{")


def dotenv_values(text: str, path: str) -> list[Value]:
    """The variables of a `.env` file.

    Raises:
        MlkeysError: a line is not an assignment, or python-dotenv is not installed.
    """
    if importlib.util.find_spec("dotenv") is None:
        raise MlkeysError("python-dotenv is not installed beside mlkeys: pip install 'mlkeys[ansible]'")
    from dotenv.parser import parse_stream

    bindings = [binding for binding in parse_stream(io.StringIO(text)) if binding.error or binding.key is not None]
    refuse(path, [f"line {_line(binding)} is not an assignment (NAME=value)" for binding in bindings if binding.error])
    return [
        Value((str(binding.key),), binding.value or "", NOTHING if binding.value is None else TEXT, _line(binding))
        for binding in bindings
    ]


def _line(binding: Binding) -> int:
    """The line of the assignment itself. python-dotenv counts the blank lines above it as part of it."""
    original = binding.original
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")
