# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Fake keys of real shapes, generated on demand: the repository holds none."""

from __future__ import annotations

import base64
import random
import re
import string
from collections.abc import Iterator
from typing import Any

from mlkeys._lint.secrets import is_placeholder
from mlkeys._providers.key_patterns import PRIVATE_KEY, Form

HEX = "0123456789abcdef"
LETTERS = string.ascii_letters
ALNUM = string.ascii_letters + string.digits
URL = ALNUM + "-_"
BASE32 = string.ascii_uppercase + "234567"

_random = random.Random(20)  # noqa: S311  the same ones in each run


def some(characters: str, length: int) -> str:
    """Return a random text with lower case and upper case letters and digits, as far as there are such characters."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    required = [kind for kind in kinds if set(kind) & set(characters) and length > len(kinds) * 4]
    while True:
        text = "".join(_random.choice(characters) for _ in range(length))
        # A dash at an end could belong to the surrounding text.
        if all(set(kind) & set(text) for kind in required) and text[0] not in "-_" and text[-1] not in "-_":
            return text


def openai() -> str:
    return f"sk-proj-{some(URL, 74)}T3BlbkFJ{some(URL, 74)}"


def anthropic() -> str:
    return f"sk-ant-api03-{some(URL, 93)}AA"


def hugging_face() -> str:
    return f"hf_{some(LETTERS, 34)}"


def cask() -> str:
    """Return a key of an Azure service, which has fixed characters at fixed places."""
    return f"{some(ALNUM, 52)}JQQJ99{some(ALNUM, 1)}C{some(ALNUM, 16)}A{some(ALNUM, 7)}"


def private_key(kind: str = "", line_end: str = "\n") -> str:
    body = base64.b64encode(_random.randbytes(96)).decode()
    lines = [f"-----BEGIN {kind}PRIVATE KEY-----", body[:64], body[64:], f"-----END {kind}PRIVATE KEY-----"]
    return line_end.join(lines)


def like(expression: str) -> str:
    """A text that an expression matches: random, but long where it may be long."""
    parser: Any = vars(re)["_parser"]
    for _ in range(10_000):
        text = "".join(_pieces(parser.parse(expression)))
        if re.fullmatch(expression, text) and text[-1] not in "-_":
            return text
    raise ValueError(f"{expression} matches none of many texts")


def of_form(form: Form) -> str:
    """A text with a secret of a form, behind a name if that shows it."""
    expression = re.compile(form.regex)
    while True:
        secret = like(form.regex)
        match = expression.fullmatch(secret)
        assert match
        value = next((group for group in match.groups() if group), secret)
        if any(one.allows(value, secret, secret, "") for one in form.allowances):
            continue
        if form.kind == PRIVATE_KEY or not is_placeholder(value):
            return f"{like(form.near)}_key: {secret}" if form.near else secret


def _pieces(parsed: Any) -> Iterator[str]:
    for operator, argument in parsed:
        name = str(operator)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "IN":
            yield _random.choice(_members(argument))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            for _ in range(_random.randint(least, min(int(most), least + 40))):
                yield from _pieces(inner)
        elif name == "SUBPATTERN":
            yield from _pieces(argument[-1])
        elif name == "NOT_LITERAL":
            yield _random.choice(_members([("NEGATE", None)]))
        elif name == "BRANCH":
            yield from _pieces(_random.choice(argument[1]))
        elif name not in ("ASSERT", "ASSERT_NOT", "AT"):
            raise NotImplementedError(f"{name} in an expression of the table")


def _members(parts: Any) -> str:
    found = ""
    for operator, argument in parts:
        name = str(operator)
        if name == "NEGATE":
            others = _members([part for part in parts if part != (operator, argument)])
            return "".join(sorted(set(string.printable) - set(string.whitespace) - set(others))) or " "
        if name == "LITERAL":
            found += chr(argument)
        elif name == "RANGE":
            found += "".join(map(chr, range(argument[0], argument[1] + 1)))
        else:
            found += {"CATEGORY_WORD": ALNUM + "_", "CATEGORY_SPACE": " ", "CATEGORY_DIGIT": string.digits}[
                str(argument)
            ]
    return found
