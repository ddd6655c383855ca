# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The encrypted vars files that variables of Ansible declare, for `mlkeys lint`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mlkeys._commands.vars_file.documents import Document
from mlkeys._lint.declared import (
    Declared,
    base_of,
    declared_in_ini,
    declared_in_yaml,
    declares,
    decrypted_by,
    is_of_role,
    is_yaml,
    loaded_by_commands,
    loaded_in_yaml,
    loads,
    places_of,
    resolved,
    texts_in_yaml,
)
from mlkeys._lint.findings import LOADED, MISSING_FILE, UNRESOLVED, Finding, finding, is_allowed
from mlkeys._shared._yaml.limits import yaml_problem
from mlkeys._shared.vars_files import is_vars_file_name
from mlkeys._system import replacing
from mlkeys._system.worktree import Listed, Looked, Worktree

# Folders of variables, whose files are small.
_BESIDE = ("group_vars", "host_vars", "vars")
_LARGEST = 1024 * 1024


@dataclass
class Followed:
    """What declarations lead to: files, documents of a KV engine, and findings about those that lead nowhere."""

    files: dict[str, Listed] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def followed(tree: Worktree, files: Iterable[Looked]) -> Followed:
    """Follow the declarations in files."""
    found = Followed()
    for file in files:
        if declares(file.text):
            texts = _Texts(file)
            for one in _declared(file):
                if not tree.excludes(one.text):
                    _follow(resolved(one, texts.known if "{{" in one.text else {}, tree.folders), file, tree, found)
    return found


def loaded(files: Iterable[Looked], encrypted: Iterable[str], decrypting: Iterable[str]) -> Iterator[Finding]:
    """Where Ansible loads encrypted vars files as they are, where nothing decrypts them.

    Args:
        encrypted: the paths of the encrypted vars files that were checked.
        decrypting: those of files that decrypt variables. One that loads files itself is taken to decrypt these, and
            any other one what the whole project loads.
    """
    known = {os.path.normpath(path) for path in encrypted}
    every = list(files)
    decrypted = {place for file in every for place in _decrypted_places(file)}
    found = {file.path: list(_loaded_by(file, known, decrypted)) for file in every}
    if "" in decrypted or any(not found.get(path) for path in decrypting):
        return
    for file in every:
        for line, what in found[file.path] if file.path not in decrypting else ():
            yield from _as_it_is(file, line, what)


def _loaded_by(file: Looked, known: AbstractSet[str], decrypted: AbstractSet[str]) -> Iterator[tuple[int, str]]:
    """What a file loads that is encrypted and not decrypted, each with its line."""
    if is_of_role(file.path) and os.path.normpath(file.path) in known:
        yield 1, "Ansible reads this file"
    if not loads(file.text, file.path):
        return
    found = [*(loaded_in_yaml(_nodes(file.text)) if is_yaml(file.path) else ())]
    found += loaded_by_commands(file.text, file.path)
    for line, name in found:
        places = places_of(name, file.path)
        if name.endswith("/"):
            inside = {path for path in known if any(path.startswith(f"{place}/") for place in places)}
            is_loaded = bool(inside - decrypted)
        else:
            is_loaded = is_vars_file_name(name) or not known.isdisjoint(places)
            is_loaded = is_loaded and decrypted.isdisjoint(places)
        if is_loaded:
            yield line, f"Ansible loads '{name}'"


def _decrypted_places(file: Looked) -> Iterator[str]:
    """The paths at which something decrypts a file, empty for a file that only Ansible knows."""
    if "load_vars" in file.text or "vault_transit_vars" in file.text:
        for name in decrypted_by(_nodes(file.text) if is_yaml(file.path) else (), file.text):
            yield from places_of(name, file.path) if name else ("",)


def _as_it_is(file: Looked, line: int, what: str) -> Iterator[Finding]:
    if not is_allowed(file.text.split("\n"), line):
        message = f"{what} as it is: its variables are ciphertext, and nothing decrypts them"
        yield finding(LOADED, file.path, message, (line, 1))


def _follow(one: Declared, file: Looked, tree: Worktree, found: Followed) -> None:
    if one.document is not None:
        found.documents.append(Document(*one.document, one.file, one.line))
        return
    paths = [path for pattern in one.paths for path in _existing(pattern, one.bases)]
    found.files.update({path: Listed(path, path, named=True) for path in paths if not tree.excludes(path)})
    if paths or is_allowed(file.text.split("\n"), one.line):
        return
    where = (one.line, 1)
    if one.is_resolved:
        message = f"the declared encrypted vars file '{one.text}' does not exist"
        found.findings.append(finding(MISSING_FILE, one.file, message, where, one.text))
    else:
        message = f"only Ansible knows which encrypted vars file '{one.text}' is"
        found.findings.append(finding(UNRESOLVED, one.file, message, where, one.text))


def _existing(pattern: str, bases: Iterable[str]) -> list[str]:
    """The files in the first of the folders that has some."""
    for base in bases:
        path = os.path.normpath(Path(base) / Path(pattern).expanduser())
        if "*" not in path:
            found = [path] if os.path.lexists(path) else []
        else:
            found = sorted(map(str, Path(Path(path).anchor or ".").glob(path.removeprefix("/"))))
        if found:
            return found
    return []


def _declared(file: Looked) -> Iterable[Declared]:
    if is_yaml(file.path):
        return declared_in_yaml(_nodes(file.text), file.path)
    return declared_in_ini(file.text, file.path)


def _nodes(text: str) -> list[Any]:
    """The documents of YAML; none of what is not YAML, in which Ansible reads nothing either."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with contextlib.suppress(yaml.YAMLError, ValueError):
        if not yaml_problem(text.encode(), lambda: yaml.parse(text, Loader=loader)):
            return list(yaml.compose_all(text, Loader=loader))
    return []


class _Texts:
    """The variables that are texts: those of a file, and those of the files beside the inventory that it belongs to."""

    def __init__(self, file: Looked) -> None:
        self._file = file

    @cached_property
    def known(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        base = base_of(self._file.path)
        walked = (step for folder in _BESIDE for step in os.walk(f"{base}/{folder}"))
        paths = [f"{folder}/{name}" for folder, _, names in walked for name in sorted(names) if is_yaml(name)]
        for text in [self._file.text, *map(_read, paths)]:
            for name, value in texts_in_yaml(_nodes(text)):
                if value not in found.setdefault(name, []):
                    found[name].append(value)
        return found


def _read(path: str) -> str:
    try:
        if Path(path).stat().st_size > _LARGEST:
            return ""
        return replacing.bytes_of(Path(path)).decode(errors="replace")
    except OSError:
        return ""
