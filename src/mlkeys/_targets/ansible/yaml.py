# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Writes YAML in block style, with quotes where they are needed.

It supports what an Ansible project needs, so that no library is required. Text of a program that looks like a template
is tagged `!unsafe`, so that Ansible does not render it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from mlkeys._constructs.inventory import Template
from mlkeys._shared._yaml.words import needs_quotes

# A dictionary is recognised at once, another mapping after a search.
_MAPPINGS = (dict, Mapping)
_NESTED = (list, tuple, *_MAPPINGS)

# Width at which long text is folded, indentation not included.
_WIDTH = 110
_WORD = re.compile(r"[^ ]+ *| +")

# Text that needs no escapes in double quotes.
_UNESCAPED = re.compile(r"[ !#-\[\]-~]*")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*|/")
# What YAML 1.1 (or a reader of it) reads as a number, a merge or a default.
_NOT_TEXT = re.compile(r"(?i:\.nan|[-+]?\.inf|<<|=)|[-+.0-9][0-9_.:eExXoOa-fA-F+-]*")
# The last form sets the delimiters of a template.
_TEMPLATE = re.compile(r"\{\{|\{%|\{#|\A#jinja2:")


@dataclass(frozen=True, slots=True)
class Commented:
    """A value with a comment above it."""

    comment: str
    value: Yaml


_SPACED = (Commented, *_MAPPINGS)

Yaml: TypeAlias = "str | bool | int | float | Template | Commented | Mapping[str, Yaml] | Sequence[Yaml] | None"


def document(value: Yaml, comment: str = "") -> str:
    """Return a whole file."""
    lines = ["---", *(f"# {line}" for line in comment.splitlines())]
    if comment:
        lines.append("")
    _block(value, "", lines)
    lines.append("")
    return "\n".join(lines)


def _block(value: Yaml, indent: str, lines: list[str]) -> None:
    """Add the lines of a value that begins on a new line."""
    if isinstance(value, Commented):
        _comment(value, indent, lines)
        _block(value.value, indent, lines)
    elif isinstance(value, _MAPPINGS) and value:
        for name, inner in value.items():
            if isinstance(inner, str):
                # Most are.
                lines.append(f"{indent}{_key(name)}: {_text(inner, indent + '  ')}")
            else:
                _entry(f"{indent}{_key(name)}:", inner, indent, lines)
    elif isinstance(value, (list, tuple)) and value:
        for number, inner in enumerate(value):
            if number and isinstance(inner, _SPACED):
                lines.append("")
            _item(inner, indent, lines)
    else:
        lines.append(f"{indent}{scalar(value, indent)}")


def _comment(value: Commented, indent: str, lines: list[str]) -> None:
    lines += [f"{indent}# {line}" for line in value.comment.splitlines()]


def _entry(head: str, value: Yaml, indent: str, lines: list[str]) -> None:
    if isinstance(value, Commented):
        _comment(value, indent, lines)
        value = value.value
    if isinstance(value, _NESTED) and value:
        lines.append(head)
        _block(value, f"{indent}  ", lines)
    else:
        lines.append(f"{head} {scalar(value, indent + '  ')}")


def _key(name: str) -> str:
    """Return a key: always on one line, and never a template."""
    return name if _is_plain(name) else f'"{"".join(_pieces(name))}"'


def _item(value: Yaml, indent: str, lines: list[str]) -> None:
    if isinstance(value, Commented):
        _comment(value, indent, lines)
        value = value.value
    first = len(lines)
    _block(value, f"{indent}  ", lines)
    lines[first] = f"{indent}- {lines[first][len(indent) + 2 :]}"


def scalar(value: Yaml, indent: str = "") -> str:
    """Return a value on one line, or a quoted one on several."""
    if isinstance(value, Template):
        return _quoted(value.text, indent)
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, _NESTED):
        return "{}" if isinstance(value, _MAPPINGS) else "[]"
    if value is True or value is False:
        return "true" if value else "false"
    return json.dumps(value)


def _text(text: str, indent: str) -> str:
    if _TEMPLATE.search(text):
        return f"!unsafe {_quoted(text, indent)}"
    return text if _is_plain(text) else _quoted(text, indent)


@lru_cache(maxsize=1024)
def _is_plain(text: str) -> bool:
    if len(text) > _WIDTH or not _PLAIN.fullmatch(text):
        return False
    return not needs_quotes(text) and not _NOT_TEXT.fullmatch(text)


def _quoted(text: str, indent: str) -> str:
    """Return a text in double quotes; a long one continues on the next line after a backslash."""
    if len(text) <= _WIDTH and _UNESCAPED.fullmatch(text):
        return f'"{text}"'
    lines = [""]
    for word in _words(text):
        if lines[-1] and len(lines[-1]) + len(word) > _WIDTH:
            # At the beginning of a continued line a space only counts after a backslash.
            lines.append(f"\\{word}" if word.startswith(" ") else word)
        else:
            lines[-1] += word
    return '"' + f"\\\n{indent}  ".join(lines) + '"'


def _words(text: str) -> Iterator[str]:
    """Yield the text in escaped parts that fit on a line; they end with their spaces."""
    for word in _WORD.findall(text):
        pieces = list(_pieces(word))
        yield from ("".join(pieces[start : start + _WIDTH]) for start in range(0, len(pieces), _WIDTH))


def _pieces(text: str) -> Iterator[str]:
    return (_ESCAPES.get(character) or _escaped(character) for character in text)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escaped(character: str) -> str:
    number = ord(character)
    if 0x20 <= number < 0x7F or (character.isprintable() and number >= 0xA0):
        return character
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
