# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Vars files of Ansible, read as Ansible reads them, but with values as they are written and with their lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.values import DATE, NOTHING, NUMBER, TEXT, TRUTH, Value

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

#: What Ansible would replace.
TEMPLATE = re.compile(r"\{\{|\{%|\{#")

#: Gives what an inline vault holds, for its text and its line.
Decrypt = Callable[[str, int], str]

_KINDS = {"str": TEXT, "int": NUMBER, "float": NUMBER, "bool": TRUTH, "timestamp": DATE, "null": NOTHING}
_VAULT_TAGS = ("!vault", "!vault-encrypted")
_MERGE = "tag:yaml.org,2002:merge"


class _Circle(ValueError):
    """A value is inside of itself."""


def yaml_values(text: str, path: str, decrypt: Decrypt, *, encrypted: bool) -> list[Value]:
    """The values of a vars file.

    Args:
        decrypt: is asked for inline vaults only.
        encrypted: whether the whole file was; otherwise only its inline vaults were secrets.

    Raises:
        MlkeysError: it is no vars file. Never with a part of the text.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    where = ""
    try:
        root = yaml.compose(text, Loader=loader)
        if root is None:
            return []
        if isinstance(root, yaml.MappingNode):
            return list(_mapping(root, (), decrypt, encrypted, ()))
        problem = "must hold a mapping of names to values"
    except yaml.MarkedYAMLError as error:
        problem = "is not YAML"
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    except (yaml.YAMLError, RecursionError):
        problem = "is not YAML"
    except _Circle:
        problem = "holds something that is inside of itself"
    raise MlkeysError(f"{path} {problem}{where}.")


def _values(
    node: Node, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool, outer: tuple[Node, ...]
) -> Iterator[Value]:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if node in outer:
        raise _Circle
    if isinstance(node, ScalarNode):
        yield _scalar(node, path, decrypt, encrypted)
    elif not node.value:
        yield Value(path, "", NOTHING, _line(node), encrypted)
    elif isinstance(node, MappingNode):
        yield from _mapping(node, path, decrypt, encrypted, outer)
    elif isinstance(node, SequenceNode):
        for number, inner in enumerate(node.value):
            yield from _values(inner, (*path, str(number)), decrypt, encrypted, (*outer, node))


def _mapping(
    node: MappingNode, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool, outer: tuple[Node, ...]
) -> Iterator[Value]:
    for name, inner in _members(node):
        yield from _values(inner, (*path, name), decrypt, encrypted, (*outer, node))


def _members(node: MappingNode) -> list[tuple[str, Node]]:
    """Names and values, those that are merged in (`<<`) first. A name that is there twice is twice in it."""
    from yaml.constructor import SafeConstructor

    own = [(_name(key), inner) for key, inner in node.value if key.tag != _MERGE]
    names = {name for name, _ in own}
    SafeConstructor().flatten_mapping(node)
    merged = {_name(key): inner for key, inner in node.value[: len(node.value) - len(own)]}
    return [*((name, inner) for name, inner in merged.items() if name not in names), *own]


def _name(key: Node) -> str:
    return key.value if isinstance(key.value, str) else "?"


def _scalar(node: ScalarNode, path: tuple[str, ...], decrypt: Decrypt, encrypted: bool) -> Value:
    line = _line(node)
    if node.tag in _VAULT_TAGS:
        return Value(path, decrypt(node.value, line), TEXT, line)
    if node.tag == "!unsafe":
        return Value(path, node.value, TEXT, line, encrypted)
    kind = _KINDS.get(node.tag.removeprefix("tag:yaml.org,2002:"), f"something tagged {node.tag}")
    return Value(path, "" if kind == NOTHING else node.value, kind, line, encrypted)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
