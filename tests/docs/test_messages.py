# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Each message that the page on troubleshooting explains is one that the code gives."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.support.collection import ROOT

# What stands for a value in the page, and what does so in the texts of the code.
ANYTHING = "…"
QUOTED = re.compile(r"^> `(.+)`$", re.MULTILINE)
MESSAGES = QUOTED.findall((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))

_TEMPLATE = re.compile(r"\{\{.*?\}\}|%s")


@functools.cache
def texts() -> tuple[str, ...]:
    """Every text of the code, with … for each value in it."""
    found = []
    for folder in ("plugins", "src"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += texts_of(path)
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        found += [_TEMPLATE.sub(ANYTHING, line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(found)


def texts_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else ANYTHING for part in node.values]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(_TEMPLATE.sub(ANYTHING, node.value))
    return found


def given(message: str) -> bool:
    """Whether the message is in the code, as one text or, where it is put together there, sentence by sentence."""
    sentences = [part for part in re.split(r"(?<=\.) |: (?=…)", message) if part.strip("….")]
    return is_given(message) or all(map(is_given, sentences))


def is_given(message: str) -> bool:
    return any(is_in(message, text) for text in texts())


def is_in(message: str, text: str) -> bool:
    pieces = [re.escape(piece) for piece in message.split(ANYTHING) if piece]
    return re.search(".*?".join(pieces), text, re.DOTALL) is not None


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_of_the_codes(message: str) -> None:
    assert given(message)


def test_there_are_messages_and_another_would_be_found_out() -> None:
    assert len(MESSAGES) > 30
    assert not given("The key '…' does not exist in the engine '…'. Buy another one.")
