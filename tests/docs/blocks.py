# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Read the code blocks of a page. CONTRIBUTING.md has the rules for writers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELLS = ("sh", "console")
# At its prompt, zsh treats a comment as arguments. dash cannot hide what is typed.
_NOT_EVERYWHERE = re.compile(r"(?:^|\s)#(?:\s|$)|^read -[a-z]*s\b", re.MULTILINE)
# A pasted block goes on with what asks for a value: it must be the last command.
_PROMPTS = re.compile(r"^(?:mlkeys set (?!.*(?:--from-env|<))|.*getpass)[^\n|]*\n(?=[^\n]+\n)", re.MULTILINE)
OUTPUT = "text"

_FILE_NAME = re.compile(r"(?:#|//|\{#) ([\w.-]+(?:/[\w.-]+)*)(?: #\})?")
_REMARK = re.compile(r"<!-- (not run|instead): (.+?) -->", re.DOTALL)


class Unexplained(Exception):
    """No rule covers this block."""


@dataclass(frozen=True)
class Command:
    """Commands that a reader types, in any shell if it is `sh`. `output` is what the page shows, or None."""

    line: int
    script: str
    output: str | None = None
    shell: str = "bash"


@dataclass(frozen=True)
class File:
    """The content of a file. The first line of the block names it."""

    line: int
    path: str
    content: str


@dataclass(frozen=True)
class NotRun:
    """A block that cannot run in a test. The source of the page states the reason."""

    line: int
    reason: str


Block = Command | File | NotRun


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks in order, each output with the command before it."""
    found: list[Block] = []
    for fence, remarks in _fences(MarkdownIt().parse(page.read_text(encoding="utf-8"))):
        line = (fence.map or [0])[0] + 1
        if fence.info == OUTPUT and "not run" not in remarks:
            found[-1:] = [_with_output(found[-1] if found else None, fence, f"{page.name}:{line}")]
        else:
            found.append(_block(fence, remarks, line, f"{page.name}:{line}"))
    return found


def _fences(tokens: list[Token]) -> Iterator[tuple[Token, dict[str, str]]]:
    """Yield each block that is not a directive, and the remarks in the comment right before it."""
    remarks: dict[str, str] = {}
    for token in tokens:
        if token.type == "fence" and not token.info.startswith("{"):
            yield token, remarks
        remarks = dict(_REMARK.findall(token.content)) if token.type == "html_block" else {}


def _block(fence: Token, remarks: dict[str, str], line: int, place: str) -> Block:
    if fence.info in SHELLS and (found := _PROMPTS.search(fence.content)):
        raise Unexplained(f"{place}: {found[0].strip()!r} asks for a value, and a shell gives it the lines after it")
    if fence.info in SHELLS and (found := _NOT_EVERYWHERE.search(fence.content)):
        raise Unexplained(f"{place}: not every shell takes {found[0].strip()!r}")
    if "not run" in remarks:
        return NotRun(line, remarks["not run"])
    if "instead" in remarks:
        return Command(line, remarks["instead"])
    if fence.info in SHELLS:
        shell = "sh" if fence.info == "sh" else "bash"
        return Command(line, fence.content, shell=shell)
    if named := _FILE_NAME.fullmatch(fence.content.partition("\n")[0]):
        return File(line, named[1], fence.content)
    raise Unexplained(f"{place}: name a file in the first line, make it a command, or add a remark why it is not run")


def _with_output(before: Block | None, fence: Token, place: str) -> Block:
    if isinstance(before, NotRun):
        return before
    if not isinstance(before, Command) or before.output is not None:
        raise Unexplained(f"{place}: this output does not follow a command")
    return replace(before, output=fence.content)


def shows(output: str, shown: str) -> bool:
    """Compare an output with what a page shows. `…` matches anything, and any lines when it is alone on a line."""
    pattern = ""
    for line in shown.strip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += "[^\n]*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
    return re.fullmatch(pattern, output.strip() + "\n") is not None
