# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The code emits each message that the troubleshooting page explains."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.support.collection import ROOT

# The placeholder for a value, in the page and in the strings of the code.
ANYTHING = "…"
QUOTED = re.compile(r"^> `(.+)`$", re.MULTILINE)
MESSAGES = QUOTED.findall((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))

_TEMPLATE = re.compile(r"\{\{.*?\}\}|%s")


@functools.cache
def texts() -> tuple[str, ...]:
    """Return every string of the code, with … for each value."""
    found = []
    for folder in ("plugins", "src"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += texts_of(path)
    for path in sorted([*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/templates/*.j2")]):
        found += [_TEMPLATE.sub(ANYTHING, line) for line in path.read_text(encoding="utf-8").splitlines()]
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        # Messages are folded there.
        found.append(_TEMPLATE.sub(ANYTHING, " ".join(path.read_text(encoding="utf-8").split())))
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


def emitted(message: str) -> bool:
    """Check that the message is in the code, as one string, or sentence by sentence if the code composes it."""
    sentences = [part for part in re.split(r"(?<=\.) |: (?=…)", message) if part.strip("….")]
    return is_in_the_code(message) or all(map(is_in_the_code, sentences))


def is_in_the_code(message: str) -> bool:
    return any(is_in(message, text) for text in texts())


def is_in(message: str, text: str) -> bool:
    pieces = [re.escape(piece) for piece in message.split(ANYTHING) if piece]
    return re.search(".*?".join(pieces), text, re.DOTALL) is not None


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_emits_the_message(message: str) -> None:
    assert emitted(message)


def test_there_are_messages_and_an_unknown_one_is_refused() -> None:
    assert len(MESSAGES) > 30
    assert not emitted("The key '…' does not exist in the engine '…'. Buy another one.")
