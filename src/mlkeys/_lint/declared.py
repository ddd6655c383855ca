# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The encrypted vars files that variables of Ansible declare, as far as a text shows them. Pure.

Nothing is templated: of expressions, only the folders that Ansible defines, and variables that are texts, are known.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: A list of mappings with a `path` or a document of a KV engine, and lists of paths.
_FILES = "vault_transit_vars_files"
_PATHS = ("vault_transit_host_vars_files", "vault_transit_rotate_vars_files", "vault_transit_status_vars_files")
_NAMES = (_FILES, *_PATHS)
_IN_ALL = "_vars_files"

# What Ansible loads as it is.
_LOADING = ("vars_files", "include_vars", "ansible.builtin.include_vars", "ansible.legacy.include_vars")
# What decrypts the files that it names.
_DECRYPTING = ("mlkeys.transit.load_vars", "load_vars")
_LOOKUP = re.compile(r"mlkeys\.transit\.vault_transit_vars['\"](?:\s*,\s*(['\"])([^'\"]+)\1)?")
_LOOPS = ("loop", "with_items", "ansible.builtin.with_items", "with_list", "with_flattened")
_ITEM = re.compile(r"\{\{\s*item\s*\}\}")
_OF_ROLE = re.compile(r"(?:\A|/)roles/[^/]+/(?:vars|defaults)/main(?:/.+|\.(?:ya?ml|json))")
_EXTRA = re.compile(r"(?:\s-e|--extra-vars)[ =]?['\"]?@([^\s'\"]+)")
_PROSE = (".md", ".rst", ".txt")
_KEY = re.compile(r"\bfile=(\S+)")

_YAML = (".yml", ".yaml", ".json")
_INI = ("", ".ini", ".cfg")
_SETTING = re.compile(rf"(?:^|\s)({'|'.join(_NAMES)})\s*=\s*(.+)")
_EXPRESSION = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_TEMPLATED = ("{{", "{%")
# Folders beside an inventory or a playbook, which is what paths begin with.
_BESIDE = ("group_vars", "host_vars", "vars", "roles")
# Folders that an inventory or a playbook is in, and any host.
_KNOWN = {"inventory_dir": (".",), "playbook_dir": (".",), "inventory_hostname": ("*",)}
# What PyYAML calls nodes.
_TEXT, _LIST, _MAPPING = "scalar", "sequence", "mapping"
# Variables may refer to one another, and have another value in each group.
_ROUNDS, _MOST = 10, 100


@dataclass(frozen=True, slots=True)
class Declared:
    """What one variable names.

    Attributes:
        file: the file that sets the variable.
        text: as it stands there.
        paths: those that it may mean, relative to one of `bases` or absolute.
        bases: folders in which Ansible may look.
        document: of a KV engine, in place of a file.
    """

    file: str
    line: int
    text: str = ""
    paths: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    document: tuple[str, str] | None = None

    @property
    def is_resolved(self) -> bool:
        return bool(self.paths) or self.document is not None


def declares(text: str) -> bool:
    """Whether a text may declare encrypted vars files."""
    return _IN_ALL in text and any(name in text for name in _NAMES)


def is_yaml(path: str) -> bool:
    return path.endswith(_YAML)


def base_of(path: str) -> str:
    """The folder of the inventory or the playbook that reads a file of variables."""
    parts = posixpath.dirname(path).split("/")
    beside = next((index for index, part in enumerate(parts) if part in _BESIDE), len(parts))
    return "/".join(parts[:beside]) or ("/" if path.startswith("/") else ".")


def declared_in_ini(text: str, path: str) -> Iterator[Declared]:
    """What an inventory that is not YAML declares. Other files declare nothing."""
    if posixpath.splitext(path)[1] not in _INI:
        return
    for number, line in enumerate(text.split("\n"), 1):
        found = None if line.lstrip().startswith(("#", ";")) else _SETTING.search(line)
        if found is None:
            continue
        name, value = found.groups()
        try:
            given = ast.literal_eval(value.strip().strip("\"'"))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            given = value
        yield from _of_value(name, given, Declared(path, number))


def declared_in_yaml(roots: Iterable[Any], path: str) -> Iterator[Declared]:
    """What a file declares, by the nodes of its documents."""
    for name, line, value in _settings(roots):
        if name in _NAMES:
            yield from _of_value(name, value, Declared(path, line))


def loads(text: str, path: str) -> bool:
    """Whether a file may load encrypted vars files as they are."""
    return ".transit." in text or (is_yaml(path) and any(word in text for word in ("vars_files", "_vars:")))


def loaded_in_yaml(roots: Iterable[Any]) -> Iterator[tuple[int, str]]:
    """The paths that `vars_files` and `include_vars` name as texts, each with a line, by the nodes of documents.

    A folder ends with a slash.
    """
    return ((line, path) for line, path in _named(roots, _LOADING) if not _is_templated(path))


def decrypted_by(roots: Iterable[Any], text: str) -> Iterator[str]:
    """The paths that `load_vars` and lookups of whole files name; empty for one that only Ansible knows."""
    for path in (path for _line, path in _named(roots, _DECRYPTING)):
        yield "" if _is_templated(path) else path
    for found in _LOOKUP.finditer(text):
        yield "" if _is_templated(found[2] or "{{") else found[2]


def _named(roots: Iterable[Any], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The paths that settings with one of these names have, each with its line. Of a loop over texts, all of them."""
    for settings in _mappings(roots):
        items = [one for name, _line, value in settings if name in _LOOPS and isinstance(value, list) for one in value]
        for line, value in ((line, value) for name, line, value in settings if name in names):
            for one in value if isinstance(value, list) else [value]:
                for path in _paths_of(one):
                    each = [item for item in items if isinstance(item, str)] if _ITEM.search(path) else []
                    yield from ((line, item.join(_ITEM.split(path))) for item in each)
                    if not each:
                        yield line, path


def _paths_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if folder := value.get("dir"):
            yield f"{folder.rstrip('/')}/"
        value = value.get("file")
    if isinstance(value, str):
        found = _KEY.search(value)
        yield found[1] if found else value


def loaded_by_commands(text: str, path: str) -> Iterator[tuple[int, str]]:
    """The files of `-e @FILE` in a text that is not prose, each with its line."""
    if path.endswith(_PROSE):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#"):
            yield from ((number, found[1]) for found in _EXTRA.finditer(line))


def is_of_role(path: str) -> bool:
    """Whether Ansible reads the variables of a role from a file."""
    return _OF_ROLE.search(path) is not None


def places_of(name: str, loader: str) -> list[str]:
    """The paths at which Ansible looks for a file that another one loads."""
    folder = posixpath.dirname(loader)
    return [posixpath.normpath(posixpath.join(folder, beside, name)) for beside in ("", "vars", "../vars")]


def texts_in_yaml(roots: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """The variables of a file that are texts."""
    return ((name, value) for name, _line, value in _settings(roots) if isinstance(value, str))


def _settings(roots: Iterable[Any]) -> Iterator[tuple[str, int, Any]]:
    """Names, lines and values of all mappings."""
    return (setting for settings in _mappings(roots) for setting in settings)


def _mappings(roots: Iterable[Any]) -> Iterator[list[tuple[str, int, Any]]]:
    """The same for each mapping."""
    rest = [root for root in roots if root is not None]
    seen: set[int] = set()
    while rest:
        node = rest.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == _LIST:
            rest += node.value
        elif node.id == _MAPPING:
            rest += [value for _name, value in node.value]
            yield [
                (name.value, name.start_mark.line + 1, _plain(value)) for name, value in node.value if name.id == _TEXT
            ]


def _plain(node: Any) -> Any:
    """Texts, and lists and mappings of texts. Deeper ones declare nothing."""
    if node.id == _LIST:
        return [_plain(one) if one.id != _LIST else None for one in node.value]
    if node.id == _MAPPING:
        return {name.value: value.value for name, value in node.value if (name.id, value.id) == (_TEXT, _TEXT)}
    return node.value


def _of_value(name: str, value: Any, where: Declared) -> Iterator[Declared]:
    if isinstance(value, str) and value.strip():
        # An expression in place of the list.
        yield replace(where, text=value.strip())
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str):
            yield replace(where, text=one, paths=(one,) if name != _FILES else ())
        elif isinstance(one, dict) and name == _FILES:
            yield _of_entry(one, where)


def _of_entry(entry: Mapping[str, Any], where: Declared) -> Declared:
    if entry.get("path"):
        text = str(entry["path"])
        return replace(where, text=text, paths=(text,))
    mount, document = str(entry.get("kv_mount") or "secret"), str(entry.get("kv_path") or "")
    text = f"{mount}/{document}"
    return replace(where, text=text, document=None if _is_templated(text) else (mount.strip("/"), document.strip("/")))


def resolved(one: Declared, texts: Mapping[str, Sequence[str]], folders: Sequence[str]) -> Declared:
    """The same, without expressions as far as they are known.

    Args:
        texts: the values of variables.
        folders: those that are checked, where inventories and playbooks may be.
    """
    paths = list(one.paths)
    for _ in range(_ROUNDS):
        paths = list(dict.fromkeys(new for path in paths for new in _expanded(path, texts)))[:_MOST]
    bases = dict.fromkeys([base_of(one.file), posixpath.dirname(one.file) or ".", *folders])
    return replace(one, paths=tuple(path for path in paths if not _is_templated(path)), bases=tuple(bases))


def _expanded(path: str, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """The path with each value of its first expression; itself if that is not known."""
    for found in _EXPRESSION.finditer(path):
        values = _KNOWN.get(found[1]) or texts.get(found[1])
        if values:
            return [path[: found.start()] + value + path[found.end() :] for value in values]
    return [path]


def _is_templated(text: str) -> bool:
    return any(mark in text for mark in _TEMPLATED)
