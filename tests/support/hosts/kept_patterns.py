# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps what the compiler of regular expressions makes.

What finds ciphertexts has a hundred long ones, so that importing it takes 0.04 s, twice in each rotation. Reading what
was kept of a short one takes as long as compiling it.
"""

from __future__ import annotations

import re
from typing import Any

kept: Any = __import__("kept")
_sre: Any = __import__("_sre")

_LONG = 200
_compiler: Any = vars(re).get("_compiler")


def _keep() -> None:
    compiled = _compiler.compile

    def compile_once(pattern: Any, flags: int = 0) -> Any:
        if not isinstance(pattern, (str, bytes)) or len(pattern) < _LONG or flags & re.DEBUG:
            return compiled(pattern, flags)
        file = kept.file_of(repr((pattern, int(flags))).encode("utf-8", "surrogatepass"), "pattern")
        made = kept.read(file)
        if made is None:
            made = _made(pattern, flags)
            kept.write(file, made)
        return _sre.compile(pattern, *made)

    _compiler.compile = compile_once


def _made(pattern: Any, flags: int) -> tuple[Any, ...]:
    """What Python's own function makes, which does not return it."""
    tree = _compiler._parser.parse(pattern, flags)
    names = tree.state.groupdict
    numbered: list[str | None] = [None] * tree.state.groups
    for name, number in names.items():
        numbered[number] = name
    # The numbers of the code have names, which cannot be kept.
    code = [int(number) for number in _compiler._code(tree, flags)]
    return int(flags | tree.state.flags), code, tree.state.groups - 1, names, tuple(numbered)


# Python 3.10 and earlier have another compiler.
if _compiler is not None:
    _keep()
