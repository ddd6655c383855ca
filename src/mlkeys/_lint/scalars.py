# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the texts of a YAML file are written, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml.events import ScalarEvent

_NAME, _VALUE, _ITEM = "name", "value", "item"
_QUOTES = ("'", '"')
# Before a value: an anchor and a tag.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text.

    Attributes:
        start: of what is written, behind an anchor, a tag and a quotation mark, at the mark of a block.
        end: behind it, before the other quotation mark.
        value: what it means.
        style: as YAML writes it: empty, a quotation mark, `|` or `>`.
        role: `name` or `value` of a mapping, or `item` of a list.
        flow: whether it is between brackets or braces.
        key: the name of the value, or of the list that it is an item of.
        path: the names of the mappings and lists around it, outermost first.
    """

    start: int
    end: int
    value: str = field(repr=False)
    style: str = ""
    tag: str = ""
    role: str = _VALUE
    flow: bool = False
    key: str = ""
    path: tuple[str, ...] = ()

    @property
    def is_name(self) -> bool:
        return self.role == _NAME

    @property
    def is_item(self) -> bool:
        return self.role == _ITEM

    @property
    def whole(self) -> tuple[int, int]:
        """Where it begins and ends with its quotation marks; `start` includes the mark of a block."""
        around = 1 if self.style in _QUOTES else 0
        return self.start - around, self.end + around

    def contains(self, start: int, end: int) -> bool:
        return self.start <= start and end <= self.end


@dataclass(slots=True)
class _Around:
    """An open mapping or list: whether it is in flow style, the role of what comes next in it, and its name."""

    flow: bool = False
    role: str = _VALUE
    key: str = ""


def scalars_in(text: str) -> list[Scalar] | None:
    """The texts of all documents, in order; None if it is not YAML."""
    import yaml

    # Ansible uses the other loader, if there is one, which accepts more tabs.
    for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None)):
        try:
            return _scalars(text, loader) if loader else None
        except (yaml.YAMLError, RecursionError):
            continue
    return None


def _scalars(text: str, loader: Any) -> list[Scalar]:
    import yaml

    found: list[Scalar] = []
    around: list[_Around] = []
    shift = len(text) - len(text.removeprefix("\ufeff"))
    # Events are not nested, and follow no alias.
    for event in yaml.parse(text.removeprefix("\ufeff"), Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            role = _NAME if isinstance(event, yaml.MappingStartEvent) else _ITEM
            around.append(_Around(bool(event.flow_style), role, around[-1].key if around else ""))
        elif isinstance(event, yaml.CollectionEndEvent):
            around.pop()
            _next(around)
        elif isinstance(event, yaml.ScalarEvent):
            found.append(_scalar(text, event, shift, around))
            if found[-1].is_name:
                around[-1].key = event.value
            _next(around)
        elif isinstance(event, yaml.AliasEvent):
            _next(around)
    return found


def _next(around: list[_Around]) -> None:
    """In a mapping, names and values take turns."""
    if around and around[-1].role != _ITEM:
        around[-1].role = _VALUE if around[-1].role == _NAME else _NAME


def _scalar(text: str, event: ScalarEvent, shift: int, outer: Sequence[_Around]) -> Scalar:
    around = outer[-1] if outer else _Around()
    start, end = (mark.index + shift if mark else shift for mark in (event.start_mark, event.end_mark))
    properties = _PROPERTIES.match(text, start, end) if event.tag or event.anchor else None
    start = properties.end() if properties else start
    style = event.style or ""
    if style in _QUOTES:
        start, end = start + 1, end - 1
    elif style:
        # What ends a block is not a part of it.
        end = start + len(text[start:end].rstrip())
    key = "" if around.role == _NAME else around.key
    path = tuple(one.key for one in outer[:-1] if one.key)
    return Scalar(start, end, event.value, style, event.tag or "", around.role, around.flow, key, path)


def quote_for(text: str, scalar: Scalar) -> str:
    """The mark that a text without quotes can be put in, as it is; empty if there is none."""
    written = text[scalar.start : scalar.end]
    if '"' not in written and "\\" not in written:
        return '"'
    return "'" if "'" not in written else ""


def scalar_at(scalars: Sequence[Scalar], start: int, end: int) -> Scalar | None:
    """The text that contains a part of the file; None for a comment."""
    return next((one for one in scalars if one.contains(start, end)), None)
