# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Documents of a KV engine that encrypted vars files and variables name, for `mlkeys lint`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlkeys._lint.ciphertexts import StoredEntry, StoredFile
from mlkeys._lint.findings import KV_DOCUMENT, Finding, finding
from mlkeys._shared.ciphertext_version import ciphertext_version
from mlkeys._system import collection as _collection
from mlkeys._system.worktree import Skipped


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and the file and the line that name it. Its engine and its key, if these are given there."""

    mount: str
    path: str
    file: str
    line: int = 1
    backend: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.mount}/{self.path}"


def noted(documents: Iterable[Document]) -> Iterator[Finding]:
    """Where entries are that are not checked without a server."""
    for one in documents:
        message = f"entries are in the document '{one}' of a KV engine, which was not read"
        yield finding(KV_DOCUMENT, one.file, message, (one.line, 1), str(one))


def read(documents: Iterable[Document]) -> Iterator[StoredFile | Skipped]:
    """The documents as they are stored, each once.

    Raises:
        MlkeysError: the server cannot be asked.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, ServerError
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_document
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import interpret
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents

    wanted = {str(one): one for one in documents}
    if not wanted:
        return
    with _collection.connected() as client:
        for name, one in wanted.items():
            try:
                file = interpret(dict(Documents(client, one.mount).read(one.path).content), name)
                if file.entries:
                    check_document(file, one.backend or file.backend, one.key or file.key)
            except (ServerError, InvalidOption) as error:
                yield Skipped(f"{one.file}: the document '{name}'", error.message.rstrip("."))
                continue
            if not file.entries:
                yield Skipped(f"{one.file}: the document '{name}'", "it does not exist, or holds no entries")
                continue
            entries = tuple(
                StoredEntry(entry.name, entry.version, ciphertext_version(entry.fingerprint) or 0, 1, entry.is_misbound)
                for entry in file.entries.values()
            )
            yield StoredFile(name, file.backend, file.key, file.fingerprint_key or file.key, entries)
