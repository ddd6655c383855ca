# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Checks of encrypted vars files for `mlkeys lint`: read with the collection's code, compared with the keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlkeys._commands.vars_file.documents import Document, noted, read
from mlkeys._errors import MlkeysError
from mlkeys._lint.ciphertexts import KeyState, StoredEntry, StoredFile, server_findings, stored_findings
from mlkeys._lint.findings import DAMAGED, PLAIN_VALUE, UNKNOWN_KEY, Finding, finding
from mlkeys._shared.ciphertext_version import ciphertext_version
from mlkeys._shared.names import name_problem
from mlkeys._shared.vars_files import METADATA, is_vars_file_name
from mlkeys._system import collection as _collection
from mlkeys._system.worktree import Skipped

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile

_WHERE = re.compile(r" \(line ([0-9]+)\)")
# What a key says of its versions, as `KeyState` has them.
_VERSIONS = ("latest_version", "min_decryption_version", "min_encryption_version")


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings in vars files, the paths of those that are not encrypted vars files, and what was not read."""

    findings: list[Finding]
    others: set[str]
    unread: list[Skipped]


def checked(files: Mapping[str, str], declared: Sequence[Document], *, server: bool) -> Checked:
    """Check encrypted vars files.

    Args:
        declared: documents of a KV engine that variables name.
        server: whether to read the keys, with one request for each, and the documents from the server.

    Raises:
        MlkeysError: Ansible or the collection is not installed, or the server cannot be asked.
    """
    _collection.load()
    findings: list[Finding] = []
    others = set()
    stored = []
    named = list(declared)
    for path, text in files.items():
        file, problems = _read(path, text)
        findings += problems
        if file is not None and file.place is not None:
            named.append(Document(file.place.mount, file.place.path, path, backend=file.backend, key=file.key))
        if file is not None:
            stored.append(_stored(file, text))
            findings += stored_findings(stored[-1])
        elif not problems:
            others.add(path)
    if not server:
        return Checked([*findings, *noted(named)], others, [])
    unread = []
    for document in read(named):
        if isinstance(document, Skipped):
            unread.append(document)
        else:
            stored.append(document)
            findings += stored_findings(document)
    return Checked([*findings, *_compared(stored)], others, unread)


def _read(path: str, text: str) -> tuple[VarsFile | None, list[Finding]]:
    """The file and its findings; None and no findings for a file of another kind."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, LibraryMissing
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import content_of
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import interpret
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import is_controlling

    try:
        content = content_of(text, path)
        if not is_vars_file_name(path) and METADATA not in content:
            return None, []
        file = interpret(content, path, text)
    except LibraryMissing as error:
        raise MlkeysError(error.message) from None
    except InvalidOption as error:
        return None, [_damaged(path, error.message)] if is_vars_file_name(path) else []
    else:
        refused = {name: value for name, value in file.open.items() if is_controlling(name)}
        problems = [_plain_value(path, text, name, value) for name, value in {**file.plain, **refused}.items()]
        if file.entries and not (file.backend and file.key):
            return None, [*problems, _damaged(path, "it does not name the key that encrypted it")]
        return file, problems


def _damaged(path: str, message: str) -> Finding:
    where = _WHERE.search(message)
    words = _WHERE.sub("", message).removeprefix(path).strip(":. ")
    return finding(DAMAGED, path, words, (int(where[1]), 1) if where else (1, 1))


def _plain_value(path: str, text: str, name: Any, value: Any) -> Finding:
    # Anything but a variable's name might be a secret.
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import is_path

    is_name = is_path(name)
    subject = name if is_name else "an entry without a valid name"
    where = (_line_of(text, name) if is_name else 1, 1)
    if isinstance(value, str) and value.strip().startswith("vault:v"):
        return finding(DAMAGED, path, f"the ciphertext of {subject} is damaged or cut off", where)
    return finding(PLAIN_VALUE, path, f"the value of {subject} is not encrypted", where)


def _line_of(text: str, name: str) -> int:
    """The line of an entry. The fingerprints have the same names, with a larger indent."""
    if "." in name:
        return _line_of_leaf(text, name)
    for indent in ("", r" {0,4}", r".*"):
        found = re.search(rf"^{indent}[\"']?{re.escape(name)}[\"']?[ \t]*:", text, re.MULTILINE)
        if found:
            return text.count("\n", 0, found.start()) + 1
    return 1


def _line_of_leaf(text: str, path: str) -> int:
    """The line of a leaf of nested data: below those of the keys that lead to it."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import split

    place = 0
    for part in split(path):
        key = re.compile(rf"(?m)(?:^|[{{,\[-])[ \t]*[\"']?{re.escape(str(part))}[\"']?[ \t]*:")
        found = None if isinstance(part, int) else key.search(text, place)
        place = found.end() if found else place
    return text.count("\n", 0, place) + 1


def _stored(file: VarsFile, text: str) -> StoredFile:
    entries = tuple(
        StoredEntry(
            name, entry.version, ciphertext_version(entry.fingerprint) or 0, _line_of(text, name), entry.is_misbound
        )
        for name, entry in file.entries.items()
    )
    return StoredFile(file.path, file.backend, file.key, file.fingerprint_key or file.key, entries)


def _compared(stored: Iterable[StoredFile]) -> Iterator[Finding]:
    files = [file for file in stored if file.entries]
    if not files:
        return
    keys, problems = _key_states(dict.fromkeys(key for file in files for key in file.keys))
    for file in files:
        for key in file.keys:
            if key in problems:
                yield finding(UNKNOWN_KEY, file.path, problems[key])
        yield from server_findings(file, keys)


def _key_states(
    keys: Iterable[tuple[str, str]],
) -> tuple[dict[tuple[str, str], KeyState], dict[tuple[str, str], str]]:
    """The versions of each key on the server, or why they are unknown."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        MountNotFound,
        NotFound,
        PermissionDenied,
    )
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    states, problems = {}, {}
    with _collection.connected() as client:
        for backend, key in keys:
            problem = name_problem(key)
            if problem is None:
                transit = Transit(client, backend)
                try:
                    data = transit.read_key(key)
                except (MountNotFound, NotFound, PermissionDenied) as error:
                    problem = error.message.rstrip(".")
                else:
                    if data is not None:
                        try:
                            states[backend, key] = KeyState(*(int(data[name]) for name in _VERSIONS))
                            continue
                        except (KeyError, TypeError, ValueError):
                            problem = f"the answer for the key '{key}' of '{backend}' does not look like Transit's"
                    else:
                        problem = transit.missing(key).message.rstrip(".")
            problems[backend, key] = problem
    return states, problems
