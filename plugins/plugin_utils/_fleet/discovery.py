# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which encrypted vars files a project has, and which of them belong to a key. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    FILES_OF_CONTROLLER as FILES,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    HOST_FILES,
    OF_CONTROLLER,
    ROTATE_FILES,
    SOURCES,
    misspelt,
    value_of,
)
from jinja2 import UndefinedError

# The kind of files that can be read, and whose content is none of an encrypted vars file, as with marks of a merge.
INVALID = "invalid"


@dataclass(frozen=True)
class Declared:
    """An encrypted vars file that a variable names, or a file or folder beside which to search.

    Attributes:
        path: empty for a document of a KV engine to which no file points.
        place: mount and path of that document.
        by: the variable and its host, for messages.
    """

    path: str
    by: str
    place: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Declarations:
    """What variables name on the controller.

    Attributes:
        sources: files and folders beside which to search.
        problems: what is wrong with variables, as sentences. Then something may be missing.
    """

    files: list[Declared]
    sources: list[Declared]
    problems: list[str]


@dataclass(frozen=True)
class FoundFile:
    """An encrypted vars file.

    Attributes:
        path: empty for a document of a KV engine to which no file points.
        oldest: the lowest key version of its entries.
        mixed: whether it also has values that are not encrypted and need it. Nothing writes such a file as a whole.
        document: where a KV engine holds its entries; empty if the file does.
    """

    path: str
    backend: str
    key: str
    fingerprint_key: str
    names: Sequence[str]
    oldest: int
    place: tuple[str, str] = ("", "")
    mixed: bool = False
    document: str = ""

    def as_result(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "mixed": self.mixed,
            "backend": self.backend,
            "key": self.key,
            "fingerprint_key": self.fingerprint_key,
            "names": list(self.names),
            "oldest": self.oldest,
            "kv_mount": self.place[0],
            "kv_path": self.place[1],
        }


def declared(hosts: Iterable[Mapping[str, Any]], given: Sequence[str] | None) -> Declarations:
    """What variables name, each once.

    Args:
        hosts: the variables of each host.
        given: paths that take the place of `FILES`.
    """
    files: dict[tuple[str, tuple[str, str]], Declared] = {}
    sources: dict[str, Declared] = {}
    # A variable may be that of all hosts, and is named once.
    problems: dict[str, str] = {}
    for path in given or ():
        files.setdefault((path, ("", "")), Declared(path, ROTATE_FILES))
    for variables in hosts:
        host = str(variables["inventory_hostname"])
        wrong = misspelt(variables, OF_CONTROLLER)
        if wrong:
            problems.setdefault(wrong, f"{host}: {wrong}")
        for name, part in _PARTS.items():
            if name not in variables or (name == FILES and given is not None):
                continue
            by = f"{name} of {host}"
            try:
                for one in part(value_of(variables, name), by):
                    if name == SOURCES:
                        sources.setdefault(one.path, one)
                    else:
                        files.setdefault((one.path, one.place), one)
            except _Wrong as error:
                problems.setdefault(name, error.message)
            except (AnsibleError, UndefinedError):
                problems.setdefault(name, f"The variable {by} has an error, or uses a variable that is not defined.")
    return Declarations(list(files.values()), list(sources.values()), list(problems.values()))


class _Wrong(Exception):
    """A variable has another type."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _files(value: Any, by: str) -> Iterator[Declared]:
    for entry in _list(value, by, "files, each with path"):
        if not isinstance(entry, Mapping):
            raise _Wrong(f"The variable {by} must be a list of files, each with path.")
        path, is_stored = entry.get("path"), entry.get("store") == "kv"
        if isinstance(path, str) and path:
            yield Declared(str(path), by)
        elif is_stored and not path and entry.get("kv_path"):
            mount, document = str(entry.get("kv_mount") or "secret"), str(entry["kv_path"])
            yield Declared("", by, (mount.strip("/"), document.strip("/")))
        else:
            needed = "kv_path" if is_stored else "path"
            raise _Wrong(f"An entry of the variable {by} has no {needed}, only: {_named(entry)}.")


def _named(entry: Mapping[str, Any]) -> str:
    # Values may be secrets.
    return one_line(", ".join(sorted(map(str, entry)))) or "nothing"


def _paths(value: Any, by: str) -> Iterator[Declared]:
    for path in _list(value, by, "paths"):
        if not (isinstance(path, str) and path):
            raise _Wrong(f"The variable {by} must be a list of paths.")
        yield Declared(str(path), by)


def _list(value: Any, by: str, elements: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise _Wrong(f"The variable {by} must be a list of {elements}.")
    return value


_PARTS = {FILES: _files, HOST_FILES: _paths, SOURCES: _paths}
#: The variables that declare files and sources.
DECLARING = tuple(_PARTS)


def missing_problem(missing: Sequence[Declared]) -> str:
    """The message about declared files that do not exist."""
    return f"Declared encrypted vars files do not exist: {_with_names(missing)}. {_CORRECT}"


def missing_source_problem(missing: Sequence[Declared]) -> str:
    """The message about files and folders that do not exist, beside which to search."""
    return f"Files and folders to search do not exist: {_with_names(missing)}. {_CORRECT}"


_CORRECT = "Correct the path, or remove the declaration."


def _with_names(missing: Sequence[Declared]) -> str:
    return "; ".join(f"{one.path} ({one.by})" for one in missing)


def of_key(files: Iterable[FoundFile], backend: str, key: str) -> list[FoundFile]:
    """The files that a key encrypts."""
    return [file for file in files if (file.backend.strip("/"), file.key) == (backend.strip("/"), key)]


def document_problem(files: Iterable[FoundFile]) -> str:
    """The message about documents of a KV engine that nothing rewraps, empty if there is none."""
    mixed = [file.document for file in files if file.mixed and file.document]
    if not mixed:
        return ""
    return (
        "The key was not rotated: documents also hold values that are not encrypted, and nothing rewraps such a "
        f"document: {', '.join(mixed)}. Encrypt these values, or move them to another document."
    )


def replace_problem(files: Sequence[FoundFile], names: Iterable[str], key: str) -> str:
    """The message about secrets to replace that no file holds, empty if all are there."""
    wanted = list(names)
    mixed = [file.path or file.document for file in files if file.mixed and not set(wanted).isdisjoint(file.names)]
    if mixed:
        return (
            f"Nothing can be replaced: {', '.join(mixed)} also holds values that are not encrypted. Encrypt them, or "
            "name them in unencrypted. The key was not rotated."
        )
    known = sorted({name for file in files for name in file.names})
    wrong = [name for name in wanted if name not in known]
    if not wrong:
        return ""
    hints = [f"'{name}'.{did_you_mean(name, known)}" for name in wrong]
    return f"Nothing can be replaced: no encrypted vars file of {key} holds {' '.join(hints)} The key was not rotated."
