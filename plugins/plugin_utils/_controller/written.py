# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables as they are written in files, whether or not Ansible uses them. **Private** to the collection.

Files of YAML and JSON are read as data. Inventories of other formats are read by Ansible, each by itself.
"""

from __future__ import annotations

import os
import re
from typing import Any, Collection, Iterable, Iterator, NamedTuple

import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED, InventoryManager
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import open_file
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import MOST_BYTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.limits import yaml_problem

# The loader in C is ten times as fast, where PyYAML was built with it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = ("", ".yml", ".yaml", ".json")
# What tests of roles set applies to no host.
_OF_TESTS = frozenset({"molecule", "tests"})


class Written(NamedTuple):
    """A variable in a file.

    Attributes:
        line: 0 if that is not known.
        values: the elements of the list: texts, and mappings with those of their values that are texts. The text itself
            if the variable is one, such as a template.
    """

    path: str
    line: int
    name: str
    values: list[Any]


def written(paths: Iterable[str], names: Collection[str]) -> Iterator[Written]:
    """The variables in files of YAML and JSON, wherever they are in them."""
    words = [name.encode("utf-8") for name in names]
    for path in paths:
        if os.path.splitext(path)[1] not in _ENDINGS or not _OF_TESTS.isdisjoint(path.split(os.sep)):
            continue
        try:
            with open_file(path) as stream:
                text = stream.read(MOST_BYTES + 1)
            if len(text) <= MOST_BYTES and any(word in text for word in words) and not _problem(text):
                yield from _variables(path, list(yaml.compose_all(text, _Loader)), names)
        except (OSError, ValueError, yaml.YAMLError):
            # Ansible cannot read it either, or it is of another kind.
            continue


def written_in_inventories(
    sources: Iterable[str], names: Collection[str], groups: Iterable[str], loader: Any
) -> Iterator[Written]:
    """The variables of hosts and groups in inventories of other formats: INI, TOML, and what scripts and plugins print.

    Args:
        groups: those of all inventories. Ansible refuses children that neither the inventory nor one before it has.
        loader: Ansible's, for the run.

    Raises:
        AnsibleError: an inventory cannot be read, although Ansible has read it before.
    """
    known = list(groups)
    for path in _files_of(sources):
        real = os.path.realpath(path)
        if _is_data(real):
            continue
        alone = InventoryManager(loader=loader, sources=[], parse=False)
        for group in known:
            alone.add_group(group)
        if not alone.parse_source(path):
            raise AnsibleError(f"the inventory {path} could not be read a second time, by itself")
        for one in (*alone.groups.values(), *alone.hosts.values()):
            for name in sorted(set(names) & set(one.vars)):
                value = one.vars[name]
                values = list(value) if isinstance(value, (list, tuple)) else [value]
                yield Written(real, _line_of(real, name), name, values)


def _files_of(sources: Iterable[str]) -> Iterator[str]:
    """The files of inventories. Those in a folder are the ones that Ansible reads there."""
    for source in sources:
        if os.path.isdir(source):
            inner = sorted(name for name in os.listdir(source) if not IGNORED.search(os.fsencode(name)))
            yield from _files_of(os.path.join(source, name) for name in inner)
        elif os.path.isfile(source):
            yield source


def _is_data(path: str) -> bool:
    """Whether an inventory is a file of YAML or JSON."""
    ending = os.path.splitext(path)[1]
    if ending:
        return ending in _ENDINGS
    try:
        with open_file(path) as stream:
            text = stream.read(MOST_BYTES + 1)
        return not _problem(text) and isinstance(yaml.compose(text, _Loader), yaml.MappingNode)
    except (OSError, ValueError, yaml.YAMLError):
        return False


def _line_of(path: str, name: str) -> int:
    """The first line of a file that assigns a variable; 0 if none does, as where a script prints it."""
    assigned = re.compile(rb"(?:^|\s)" + re.escape(name.encode("utf-8")) + rb"\s*=")
    with open_file(path) as stream:
        return next((number for number, line in enumerate(stream, 1) if assigned.search(line)), 0)


def _problem(text: bytes) -> str:
    return yaml_problem(text, lambda: yaml.parse(text, _Loader))


def _variables(path: str, pending: list[Any], names: Collection[str]) -> Iterator[Written]:
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        # An alias is the node that it stands for.
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                pending.append(value)
                if isinstance(key, yaml.ScalarNode) and key.value in names:
                    yield Written(path, key.start_mark.line + 1, key.value, _values(value))


def _values(node: Any) -> list[Any]:
    if isinstance(node, yaml.SequenceNode):
        return [_element(one) for one in node.value]
    return [node.value] if isinstance(node, yaml.ScalarNode) and node.value else []


def _element(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        pairs = [pair for pair in node.value if all(isinstance(one, yaml.ScalarNode) for one in pair)]
        return {key.value: value.value for key, value in pairs}
    return node.value if isinstance(node, yaml.ScalarNode) else ""
