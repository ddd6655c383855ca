# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible vars files, read as Ansible reads them, but with values as they are written, and with their lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.comments import commented_yaml
from mlkeys._import.values import (
    DATE,
    NOTHING,
    NUMBER,
    OTHER_DATE,
    OTHER_NUMBER,
    SEALED,
    TEXT,
    TRUTH,
    Index,
    OtherKey,
    Value,
)
from mlkeys._shared._yaml.limits import yaml_problem

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

#: Ansible replaces these.
TEMPLATE = re.compile(r"\{\{|\{%|\{#")

#: Decrypts an inline vault, given its text, its path and its line; None for one that is not wanted.
Decrypt = Callable[[str, tuple[str, ...], int], str | None]

_KINDS = {"str": TEXT, "int": NUMBER, "float": NUMBER, "bool": TRUTH, "timestamp": DATE, "null": NOTHING}
_OTHERS = {NUMBER: OTHER_NUMBER, DATE: OTHER_DATE}
_VAULT_TAGS = ("!vault", "!vault-encrypted")
# What no value without quotes begins with, and what it does not contain.
_SPECIAL = "@`%*,[]{}|>!&"
_OTHER_QUOTES = {'"': "single", "'": "double"}
_ITEM = re.compile(r"[-?:](?:\s|\Z)")
_PAIR = re.compile(r":(?:\s|\Z)")
_ENTRY = re.compile(r"\s*[^\s:#]+:[ \t]+(\S.*)")
_MERGE = "tag:yaml.org,2002:merge"


def yaml_values(text: str, path: str, decrypt: Decrypt, *, encrypted: bool) -> list[Value]:
    """The values of a vars file.

    Args:
        decrypt: called for inline vaults only.
        encrypted: whether the whole file was encrypted. Otherwise only its inline vaults were secrets.

    Raises:
        MlkeysError: it is not a vars file. The message never contains a part of the text.
    """
    documents = yaml_documents(text, path, decrypt, encrypted=encrypted)
    if len(documents) > 1:
        raise MlkeysError(f"{path} has {len(documents)} YAML documents, and must have one.")
    return documents[0] if documents else []


def yaml_documents(text: str, path: str, decrypt: Decrypt, *, encrypted: bool) -> list[list[Value]]:
    """The values of each document that is not empty, as `yaml_values` gives them."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if problem := yaml_problem(text.encode(errors="replace"), lambda: yaml.parse(text, Loader=loader)):
            raise MlkeysError(f"{path} {problem}.")
        roots = [root for root in yaml.compose_all(text, Loader=loader) if not _is_nothing(root)]
        mappings = [root for root in roots if isinstance(root, yaml.MappingNode)]
        if len(mappings) == len(roots):
            found = [list(_mapping(root, (), decrypt, encrypted)) for root in mappings]
            return [commented_yaml(values, text) for values in found]
    except yaml.MarkedYAMLError as error:
        # What YAML was in the midst of began at the second one.
        lines = [mark.line for mark in (error.problem_mark, error.context_mark) if mark]
        where = f" (line {lines[0] + 1})" if lines else ""
        raise MlkeysError(f"{path} is not YAML{where}.{_hint(text, lines)}") from None
    except (yaml.YAMLError, RecursionError):
        raise MlkeysError(f"{path} is not YAML.") from None
    raise MlkeysError(f"{path} must contain a mapping of names to values.")


def _is_nothing(root: Node) -> bool:
    """Whether a document is empty, as after a --- at the end."""
    return bool(root.tag == "tag:yaml.org,2002:null" and not root.value)


def _hint(text: str, numbers: Sequence[int]) -> str:
    """What to do about a value that has one of YAML's own characters. It shows this character only."""
    lines = text.split("\n")
    found = [_ENTRY.match(lines[number]) for number in dict.fromkeys(numbers) if number < len(lines)]
    values = [entry[1] for entry in found if entry]
    for value in values:
        if value[0] in _OTHER_QUOTES:
            others = _OTHER_QUOTES[value[0]]
            return f" A value that begins with {value[0]} ends with it, or needs {others} quotes around it."
        if value[0] in _SPECIAL or _ITEM.match(value):
            return f" Put a value that begins with {value[0]} in quotes."
    return " Put a value with a colon in quotes." if any(map(_PAIR.search, values)) else ""


def _values(node: Node, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool) -> Iterator[Value]:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        yield _scalar(node, path, decrypt, encrypted)
    elif not node.value:
        shape = "{}" if isinstance(node, MappingNode) else "[]"
        yield Value(path, "", NOTHING, _line(node), encrypted, shape=shape)
    elif isinstance(node, MappingNode):
        yield from _mapping(node, path, decrypt, encrypted)
    elif isinstance(node, SequenceNode):
        for number, inner in enumerate(node.value):
            yield from _values(inner, (*path, Index(number)), decrypt, encrypted)


def _mapping(node: MappingNode, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool) -> Iterator[Value]:
    for name, inner in _members(node):
        yield from _values(inner, (*path, name), decrypt, encrypted)


def _members(node: MappingNode) -> list[tuple[str, Node]]:
    """Names and values: merged ones (`<<`) first, and duplicates as often as they occur."""
    from yaml.constructor import SafeConstructor

    own = [(_name(key), key.tag, inner) for key, inner in node.value if key.tag != _MERGE]
    # 80 and '80' are two keys.
    known = {(name, tag) for name, tag, _ in own}
    SafeConstructor().flatten_mapping(node)
    merged = {(_name(key), key.tag): inner for key, inner in node.value[: len(node.value) - len(own)]}
    return [
        *((name, inner) for (name, tag), inner in merged.items() if (name, tag) not in known),
        *((name, inner) for name, _, inner in own),
    ]


def _name(key: Node) -> str:
    if not isinstance(key.value, str):
        return OtherKey("?", "a mapping or a list")
    kind = _kind(key)
    return key.value if kind == TEXT else OtherKey(key.value, kind)


def _kind(node: Node) -> str:
    return _KINDS.get(node.tag.removeprefix("tag:yaml.org,2002:"), f"something tagged {node.tag}")


def _scalar(node: ScalarNode, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool) -> Value:
    line = _line(node)
    if node.tag in _VAULT_TAGS:
        text = decrypt(node.value, path, line)
        return Value(path, text or "", TEXT if text is not None else SEALED, line)
    if node.tag == "!unsafe":
        return Value(path, node.value, TEXT, line, encrypted)
    kind = _kind(node)
    if kind in _OTHERS and _is_shown_otherwise(node):
        kind = _OTHERS[kind]
    return Value(path, "" if kind == NOTHING else node.value, kind, line, encrypted)


def _is_shown_otherwise(node: ScalarNode) -> bool:
    """Whether Ansible shows another text for a number, 420 for 0644, or for a date, or cannot read it."""
    from yaml.constructor import SafeConstructor

    # On odd text such as `!!int ""`, PyYAML raises errors of its internals.
    with suppress(ArithmeticError, AttributeError, LookupError, ValueError):
        return bool(str(SafeConstructor().construct_object(node)) != node.value)
    return True


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
