# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The code blocks of a page, and what each of them is: CONTRIBUTING.md has the rules for who writes one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELLS = ("sh", "console")
OUTPUT = "text"

_FILE_NAME = re.compile(r"(?:#|//|\{#) ([\w.-]+(?:/[\w.-]+)*)(?: #\})?")
_REMARK = re.compile(r"<!-- (not run|instead|ends with): (.+?) -->", re.DOTALL)


class Unexplained(Exception):
    """A block that no rule tells what to do with."""


@dataclass(frozen=True)
class Command:
    """What a reader types. `output` is what the page shows of it, None when it shows nothing."""

    line: int
    script: str
    status: int = 0
    output: str | None = None


@dataclass(frozen=True)
class File:
    """What a reader writes into a file, which the block's first line names."""

    line: int
    path: str
    content: str


@dataclass(frozen=True)
class NotRun:
    """A block that cannot be run here, with the reason that the page's source gives."""

    line: int
    reason: str


Block = Command | File | NotRun


def blocks_of(page: Path) -> list[Block]:
    """The blocks in their order, each output with the command before it."""
    found: list[Block] = []
    for fence, remarks in _fences(MarkdownIt().parse(page.read_text(encoding="utf-8"))):
        line = (fence.map or [0])[0] + 1
        if fence.info == OUTPUT and "not run" not in remarks:
            found[-1:] = [_with_output(found[-1] if found else None, fence, f"{page.name}:{line}")]
        else:
            found.append(_block(fence, remarks, line, f"{page.name}:{line}"))
    return found


def _fences(tokens: list[Token]) -> Iterator[tuple[Token, dict[str, str]]]:
    """Each block that is no directive of the site's, and what the comment right before it remarks."""
    remarks: dict[str, str] = {}
    for token in tokens:
        if token.type == "fence" and not token.info.startswith("{"):
            yield token, remarks
        remarks = dict(_REMARK.findall(token.content)) if token.type == "html_block" else {}


def _block(fence: Token, remarks: dict[str, str], line: int, place: str) -> Block:
    if "not run" in remarks:
        return NotRun(line, remarks["not run"])
    if "instead" in remarks:
        return Command(line, remarks["instead"])
    if fence.info in SHELLS:
        return Command(line, fence.content, int(remarks.get("ends with", 0)))
    if named := _FILE_NAME.fullmatch(fence.content.partition("\n")[0]):
        return File(line, named[1], fence.content)
    raise Unexplained(f"{place}: name the file in the first line, make it a command, or remark why it is not run")


def _with_output(before: Block | None, fence: Token, place: str) -> Block:
    if isinstance(before, NotRun):
        return before
    if not isinstance(before, Command) or before.output is not None:
        raise Unexplained(f"{place}: an output follows no command")
    return Command(before.line, before.script, before.status, fence.content)


def shows(output: str, shown: str) -> bool:
    """Whether an output is what a page shows of it. There … stands for anything, alone on a line for any lines."""
    pattern = ""
    for line in shown.strip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += "[^\n]*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
    return re.fullmatch(pattern, output.strip() + "\n") is not None
