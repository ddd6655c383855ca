# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which encrypted vars files a project has, and which of them belong to a key. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import did_you_mean

# Variables that declare encrypted vars files: for the controller, and for a host.
FILES, HOST_FILES = "vault_transit_vars_files", "vault_transit_host_vars_files"

# The kind of files that can be read, and whose content is none of an encrypted vars file, as with marks of a merge.
INVALID = "invalid"


@dataclass(frozen=True)
class Declared:
    """An encrypted vars file that a variable names.

    Attributes:
        path: empty for a document of a KV engine to which no file points.
        place: mount and path of that document.
        by: the variable and its host, for messages.
    """

    path: str
    by: str
    place: tuple[str, str] = ("", "")


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


def declared(hosts: Iterable[Mapping[str, Any]], given: Sequence[str] | None) -> list[Declared]:
    """The encrypted vars files that variables name, each once.

    Args:
        hosts: the variables of each host.
        given: paths that take the place of `FILES`.
    """
    found: dict[tuple[str, tuple[str, str]], Declared] = {}

    def add(path: Any, by: str, place: tuple[str, str] = ("", "")) -> None:
        if path or place != ("", ""):
            found.setdefault((str(path or ""), place), Declared(str(path or ""), by, place))

    for path in given or ():
        add(path, "vault_transit_rotate_vars_files")
    for variables in hosts:
        host = str(variables["inventory_hostname"])
        for one in (variables.get(FILES) or ()) if given is None else ():
            stored = one.get("store") == "kv" and not one.get("path")
            mount, document = str(one.get("kv_mount") or "secret"), str(one.get("kv_path") or "")
            place = (mount.strip("/"), document.strip("/")) if stored else ("", "")
            add(one.get("path"), f"{FILES} of {host}", place)
        for path in variables.get(HOST_FILES) or ():
            add(path, f"{HOST_FILES} of {host}")
    return list(found.values())


def missing_problem(missing: Sequence[Declared]) -> str:
    """The message about declared files that do not exist."""
    named = "; ".join(f"{one.path} ({one.by})" for one in missing)
    return f"Declared encrypted vars files do not exist: {named}. Correct the path, or remove the declaration."


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
