# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Regular expressions of Go, as in the rules of gitleaks, written for Python."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A flag alone is for the rest of its group. Python has it for the whole expression, or for a group of its own.
_FLAGS = re.compile(r"\(\?([imsU]*-?[imsU]*)\)")
_NAMED = re.compile(r"\(\?<(?=[A-Za-z_])")
_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_CLASSES = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "word": r"\w",
    "xdigit": "A-Fa-f0-9",
    "punct": r"!-/:-@\[-`{-~",
}
_END_OF_TEXT = {r"\z": r"\Z"}


def for_python(expression: str) -> str:
    """The same expression. Python refuses what it has no words for."""
    written: list[str] = []
    # For each open group, the flags in it.
    flags = [""]
    for piece in _pieces(expression):
        change = _FLAGS.fullmatch(piece)
        if change:
            written.append(f"{_closed(flags[-1])}{_opened(change[1])}")
            flags[-1] = change[1]
        elif piece == "|":
            written.append(f"{_closed(flags[-1])}|{_opened(flags[-1])}")
        elif piece.startswith("("):
            flags.append("")
            written.append(piece)
        elif piece == ")" and len(flags) > 1:
            written.append(f"{_closed(flags.pop())})")
        else:
            written.append(piece)
    return "".join(written) + _closed(flags[0])


def _opened(flags: str) -> str:
    return f"(?{flags}:" if flags else ""


def _closed(flags: str) -> str:
    return ")" if flags else ""


def _pieces(expression: str) -> Iterator[str]:
    """Escaped characters, classes, and the signs of groups, each as a whole."""
    at = 0
    while at < len(expression):
        flags, named = _FLAGS.match(expression, at), _NAMED.match(expression, at)
        if expression[at] == "\\":
            piece = expression[at : at + 2]
            yield _END_OF_TEXT.get(piece, piece)
            at += 2
        elif expression[at] == "[":
            end = _end_of_class(expression, at)
            yield _class(expression[at:end])
            at = end
        elif flags:
            yield flags.group()
            at = flags.end()
        elif named:
            yield "(?P<"
            at = named.end()
        else:
            yield expression[at]
            at += 1


def _end_of_class(expression: str, at: int) -> int:
    # Right at its beginning, a bracket is one of its characters.
    at += 2 if expression.startswith("[^", at) else 1
    at += expression.startswith("]", at)
    while at < len(expression) and expression[at] != "]":
        inner = _CLASS.match(expression, at)
        at = inner.end() if inner else at + (2 if expression[at] == "\\" else 1)
    return min(at + 1, len(expression))


def _class(text: str) -> str:
    begin = 2 if text.startswith("[^") else 1
    inner = _CLASS.sub(lambda found: "" if found[1] else _CLASSES.get(found[2], ""), text[begin:-1])
    # Python warns about signs that might have a meaning in a class some day.
    plain = re.sub(r"(\\.)|([\[&|~])", lambda found: found[1] or f"\\{found[2]}", inner, flags=re.DOTALL)
    return f"{text[:begin]}{plain}]"
