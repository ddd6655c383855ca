# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The schema of the provider hashicorp/vault, as far as its bindings of PyPI carry it.

What they leave out: which attributes are sensitive, which ones force a new resource, and how lists differ from sets.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

#: What a block is for: a top-level member of Terraform's JSON.
Group = Literal["provider", "resource", "data", "ephemeral"]
#: A type as Terraform writes it: `"string"`, or `["list", "string"]`.
Type: TypeAlias = str | list[Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    type: Type
    required: bool
    optional: bool
    computed: bool
    write_only: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)


_GROUPS: Mapping[str, Group] = {
    "TerraformProvider": "provider",
    "TerraformResource": "resource",
    "TerraformDataSource": "data",
    "TerraformEphemeralResource": "ephemeral",
}
_TYPES: Mapping[str, Type] = {
    "boolean": "bool",
    "number": "number",
    "string": "string",
    "numberList": ["list", "number"],
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
    "stringMapList": ["list", ["map", "string"]],
}
#: Types by how a program reads an attribute that it cannot set.
_READ_TYPES: Mapping[str, Type] = {
    "getBooleanAttribute": "bool",
    "getNumberAttribute": "number",
    "getStringAttribute": "string",
    "getListAttribute": ["list", "string"],
    "StringMap": ["map", "string"],
    "StringMapList": ["list", ["map", "string"]],
}

_KIND = re.compile(
    rf"^class (\w+) extends cdktn\.({'|'.join(_GROUPS)}) \{{.*?static tfResourceType = \"(\w+)\"",
    re.MULTILINE | re.DOTALL,
)
_CLASS = re.compile(r"^class (\w+?)(?:OutputReference)? extends .*?^}", re.MULTILINE | re.DOTALL)
_FLAGS = re.compile(r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(.*?)\n    }", re.DOTALL)
_READ = re.compile(r"this\.(get\w+)\(|new cdktn\.(\w+)\(")
_GIVEN = re.compile(
    r"^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: .*\n +storageClassType: \"(\w+)\"", re.MULTILINE
)


@cache
def schema() -> Mapping[Group, Mapping[str, Block]]:
    """Every kind of block that the provider has."""
    found: dict[Group, dict[str, Block]] = {group: {} for group in _GROUPS.values()}
    for text in _sources():
        kind = _KIND.search(text)
        if kind is not None:
            found[_GROUPS[kind[2]]][kind[3]] = _Source(text).block(kind[1])
    return found


def _sources() -> Iterator[str]:
    """The bindings' modules, one for each kind of block."""
    # Importing the package would start Node.
    package = find_spec("cdktn_provider_vault")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cdktn_provider_vault")
    (archive,) = (Path(package.origin).parent / "_jsii").glob("*.tgz")
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if re.fullmatch(r"package/lib/[^/]+/index\.js", member.name) else None
            if file is not None:
                # A map of the source stands on one long last line, in which every search would get lost.
                yield file.read().partition(b"//# sourceMappingURL")[0].decode()


class _Source:
    """One module: the class of the block itself, and those of the blocks in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Of the two classes of a nested block, the first is the one that has its attributes.
        self._classes: dict[str, str] = {}
        for found in _CLASS.finditer(text):
            self._classes.setdefault(found[1], found[0])

    def block(self, name: str) -> Block:
        made = Block()
        flags = {found[1]: found for found in _FLAGS.finditer(self._classes.get(name, ""))}
        for attribute, value, is_block, kind in _GIVEN.findall(self._rendering(name)):
            if is_block == "true":
                made.blocks[attribute] = self.block(kind.removesuffix("List"))
            elif kind in _TYPES:
                write_only = "markWriteOnlyAttribute" in value
                made.attributes[attribute] = _attribute(_TYPES[kind], flags.pop(attribute, None), write_only=write_only)
        for attribute, found in flags.items():
            read = _READ.search(found[5])
            if attribute not in made.blocks and read is not None and (read[1] or read[2]) in _READ_TYPES:
                made.attributes[attribute] = _attribute(_READ_TYPES[read[1] or read[2]], found)
        # It is CDK Terrain's own word for a second provider of the same kind.
        made.attributes.pop("alias", None)
        return made

    def _rendering(self, name: str) -> str:
        """The code that turns what a program gave into text: it names the types."""
        nested = f"function {name[0].lower()}{name[1:]}ToHclTerraform("
        if nested in self._text:
            return self._text.partition(nested)[2].partition("\n}")[0]
        return self._classes.get(name, "").partition("synthesizeHclAttributes()")[2]


def _attribute(type_: Type, flags: re.Match[str] | None, *, write_only: bool = False) -> Attribute:
    # Of blocks that may be repeated, nothing says which of their attributes have to be there.
    computed, optional, required = (flag == "true" for flag in flags.groups()[1:4]) if flags else (False, True, False)
    return Attribute(type_, required=required, optional=optional, computed=computed, write_only=write_only)
