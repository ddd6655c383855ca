# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Vars files line by line: those in the form in which this collection writes them. Pure. **Private**.

A library for YAML that keeps comments takes a millisecond for each secret. A file that has one entry on each line needs
none: it is read, and changed, in the time that it takes to look at each line once. `document` has all other files.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import needs_quotes
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA

# In the order in which they are written.
_BLOCKS = ("before", "hmac")

_COMMENT = r"(?: *| +#.*)"
_NAME = r"([A-Za-z_][A-Za-z0-9_]*)"
_SEALED = r"vault:v[0-9]+:[A-Za-z0-9+/=]+(?: sha256:[0-9a-f]+)?|sha256:[0-9a-f]+(?: sha256:[0-9a-f]+)?"
_NOTHING = re.compile(r" *(?:#.*)?")
_BEGIN = re.compile(rf"---{_COMMENT}")
# Indent, name, what is before the value (a quote, if any), the value, what is after it.
_ENTRY = re.compile(rf"( *){_NAME}:( +)((?:{_SEALED})|'(?:{_SEALED})'|\"(?:{_SEALED})\")({_COMMENT})")
_HEADER = re.compile(rf"( *){_NAME}:{_COMMENT}")
_SETTING = re.compile(rf"( +){_NAME}: +([A-Za-z][A-Za-z0-9_./-]*|1){_COMMENT}")

_PLAIN_SCALARS = ("format", "backend", "key", "fingerprint_key", "store", "kv_mount", "kv_path")


@dataclass
class Lines:
    """A file's lines, and which of them hold what.

    Attributes:
        entries: the line of each entry.
        metadata: the line of each name in the metadata.
        blocks: the lines of the blocks in the metadata, by their names.
        content: the file's mapping, as YAML reads it.
        indents: of the mappings that the last line is in.
        header: the line that the metadata begins with.
    """

    lines: list[str]
    entries: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, dict[str, int]] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    indents: list[int] = field(default_factory=lambda: [0])
    header: int = -1


class _OtherFormError(Exception):
    pass


def lines_of(text: str) -> Lines | None:
    """The lines of a file, ``None`` for one of another form."""
    if not text.strip(" \n"):
        return Lines(["---"])
    found = Lines(text.split("\n"))
    if not found.lines[-1]:
        del found.lines[-1]
    try:
        for number, line in enumerate(found.lines):
            if not _NOTHING.fullmatch(line):
                _take(found, number, line)
            elif not line.isprintable():
                return None
    except _OtherFormError:
        return None
    if any(not block for block in found.blocks.values()) or found.content.get(METADATA, found) == {}:
        return None
    return found if found.content else None


def _take(found: Lines, number: int, line: str) -> None:
    """Note what a line holds.

    Raises:
        _OtherFormError: it is of another form.
    """
    entry = _ENTRY.fullmatch(line)
    if not line.isprintable():
        raise _OtherFormError
    if entry is not None:
        depth = _depth(found, len(entry[1]))
        names, values = _level(found, depth)
        _put(names, values, entry[2], number, entry[4].strip("'\""))
        return
    setting = _SETTING.fullmatch(line)
    if setting is not None and _depth(found, len(setting[1])) == 1 and setting[2] in _PLAIN_SCALARS:
        value = setting[3]
        if needs_quotes(value) or (value == "1") != (setting[2] == "format"):
            raise _OtherFormError
        _put(found.metadata, found.content[METADATA], setting[2], number, 1 if value == "1" else value)
        return
    header = _HEADER.fullmatch(line)
    if header is not None:
        _begin_block(found, number, header[2], _depth(found, len(header[1])))
    elif found.content or not _BEGIN.fullmatch(line) or any(_BEGIN.fullmatch(other) for other in found.lines[:number]):
        raise _OtherFormError


def _depth(found: Lines, indent: int) -> int:
    """How deep a line of this indent is. The first line of a mapping decides its indent."""
    if indent in found.indents:
        depth = found.indents.index(indent)
        del found.indents[depth + 1 :]
        return depth
    is_first = found.lines and found.content and indent > found.indents[-1] and _is_open(found)
    if not is_first:
        raise _OtherFormError
    found.indents.append(indent)
    return len(found.indents) - 1


def _is_open(found: Lines) -> bool:
    """Whether the last name has no value yet."""
    if list(found.content)[-1:] != [METADATA]:
        return False
    inner = found.content[METADATA]
    if len(found.indents) == 1:
        return not inner
    return bool(inner) and inner[list(inner)[-1]] == {}


def _level(found: Lines, depth: int) -> tuple[dict[str, int], dict[str, Any]]:
    if depth == 0:
        return found.entries, found.content
    if depth != 2:
        raise _OtherFormError
    last = list(found.content[METADATA])[-1]
    return found.blocks[last], found.content[METADATA][last]


def _put(names: dict[str, int], values: dict[str, Any], name: str, number: int, value: Any) -> None:
    if name in values or needs_quotes(name) or (name == METADATA and value != {}):
        raise _OtherFormError
    names[name], values[name] = number, value


def _begin_block(found: Lines, number: int, name: str, depth: int) -> None:
    if depth == 0 and name == METADATA:
        _put({}, found.content, name, number, {})
        found.header = number
    elif depth == 1 and name in _BLOCKS:
        _put(found.metadata, found.content[METADATA], name, number, {})
        found.blocks[name] = {}
    else:
        raise _OtherFormError


@dataclass
class _Changes:
    """What becomes of lines, by their numbers."""

    replaced: dict[int, str] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    added: dict[int, list[str]] = field(default_factory=dict)

    def apply(self, lines: Sequence[str]) -> str:
        new = list(self.added.get(-1, ()))
        for number, line in enumerate(lines):
            if number not in self.removed:
                new.append(self.replaced.get(number, line))
            new += self.added.get(number, ())
        return "\n".join([*new, ""])


def placed(names: Sequence[str], added: Sequence[str], *, at_front: bool) -> dict[str | None, list[str]]:
    """New names, by the name that each comes after: the last one that is before it in the alphabet.

    So what two people add is seldom in one place, and Git merges it.

    Args:
        names: those that are there. Without any, the new ones keep their order.
        at_front: whether what is before all others comes before them, under ``None``. Else it comes last.
    """
    if not names:
        return {None: list(added)} if added else {}
    # A file of YAML may have numbers as names.
    ordered = sorted(names, key=str)
    texts = [str(name) for name in ordered]
    found: dict[str | None, list[str]] = {}
    for name in sorted(added):
        number = bisect_left(texts, name)
        first = None if at_front else names[-1]
        found.setdefault(ordered[number - 1] if number else first, []).append(name)
    return found


def remaining(names: Iterable[str], removed: Iterable[str]) -> list[str]:
    """The names among which new ones have their places: those that stay, or all if none does."""
    gone = set(removed)
    return [name for name in names if name not in gone] or list(names)


@dataclass(frozen=True)
class Block:
    """Changes in one block of the metadata.

    Attributes:
        values: new ones, by name.
        removed: names that go.
    """

    values: Mapping[str, str]
    removed: Sequence[str]


def edited(
    found: Lines,
    settings: Mapping[str, Any],
    ciphertexts: Mapping[str, str],
    blocks: Mapping[str, Block],
    removed: Sequence[str],
    *,
    at_front: bool,
) -> str | None:
    """The text with other entries, ``None`` where `document` has to make it.

    Args:
        settings: those of the metadata.
        blocks: changes in the blocks of the metadata.
        removed: entries that go.
        at_front: whether an entry may come before all others.
    """
    metadata = found.content.get(METADATA)
    if metadata is not None and any(metadata.get(name) != value for name, value in settings.items()):
        return None
    if not all(_is_plain(name, value) for name, value in settings.items()):
        return None
    changes = _Changes()
    front = len(found.lines) - 1 if metadata is None else found.header - 1
    first = min(found.entries.values(), default=front + 1)
    at_front = at_front and first <= front + 1
    _change(found, changes, found.entries, ciphertexts, removed, "", first - 1, at_front=at_front)
    if metadata is None:
        new = [f"{METADATA}:", *(f"  {name}: {value}" for name, value in settings.items())]
        new += [line for name in _BLOCKS if blocks[name].values for line in _block("  ", name, blocks[name].values)]
        changes.added.setdefault(len(found.lines) - 1, []).extend(new)
    else:
        for name in _BLOCKS:
            _change_block(found, changes, name, blocks[name].values, blocks[name].removed)
    return changes.apply(found.lines)


def _is_plain(name: str, value: Any) -> bool:
    return _SETTING.fullmatch(f" {name}: {value}") is not None and not needs_quotes(str(value))


def _change_block(
    found: Lines, changes: _Changes, name: str, values: Mapping[str, str], removed: Sequence[str]
) -> None:
    block = found.blocks.get(name)
    if block is not None:
        front, first = found.metadata[name], min(block.values())
        indent = " " * _indent(found.lines[first])
        # Else, the lines between are a comment on the first entry.
        _change(found, changes, block, values, removed, indent, front, at_front=first == front + 1)
        if not values and set(block) <= set(removed):
            changes.removed.add(found.metadata[name])
    elif values:
        # Comments at the end of a file belong to its last block, so that must stay the last one.
        others = [number for other, number in found.metadata.items() if other != "hmac"]
        others += [number for other in found.blocks if other != "hmac" for number in found.blocks[other].values()]
        outer = " " * _indent(found.lines[found.metadata["format"]])
        changes.added.setdefault(max(others), []).extend(_block(outer, name, values))


def _change(
    found: Lines,
    changes: _Changes,
    names: Mapping[str, int],
    values: Mapping[str, str],
    removed: Sequence[str],
    indent: str,
    front: int,
    *,
    at_front: bool,
) -> None:
    """Change the entries of one mapping, of which the first one is behind the line ``front``."""
    for name in removed:
        if name in names:
            changes.removed.add(names[name])
    for name in values:
        if name in names:
            changes.replaced[names[name]] = _with_value(found.lines[names[name]], values[name])
    new = [name for name in values if name not in names]
    for behind, group in placed(remaining(names, removed), new, at_front=at_front).items():
        number = front if behind is None else names[behind]
        changes.added.setdefault(number, []).extend(f"{indent}{name}: {values[name]}" for name in group)


def _with_value(line: str, value: str) -> str:
    parts = _ENTRY.fullmatch(line)
    if parts is None:
        raise ValueError("not an entry")
    quote = parts[4][0] if parts[4][0] in "'\"" else ""
    return f"{parts[1]}{parts[2]}:{parts[3]}{quote}{value}{quote}{parts[5]}"


def _block(indent: str, name: str, values: Mapping[str, str]) -> list[str]:
    return [f"{indent}{name}:", *(f"{indent}{indent}{inner}: {value}" for inner, value in values.items())]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def in_quotes_of(old: Any, value: Any) -> Any:
    """A new value of a loaded file, in the quotes of the old one."""
    quoted = isinstance(value, str) and type(old).__name__ in ("DoubleQuotedScalarString", "SingleQuotedScalarString")
    return type(old)(value) if quoted else value
