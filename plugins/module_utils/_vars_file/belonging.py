# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Whose an encrypted vars file is: its engine, its keys, its document. Pure. **Private** to the collection."""

from __future__ import annotations

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import Document
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    FLAT,
    IN_KV,
    Place,
    VarsFile,
    listed,
)


def pointing(file: VarsFile, place: Place, backend: str, key: str, fingerprint_key: str) -> str:
    """The text of a file that points to a place; its own text if it already does.

    It names the engine and the key too: anyone who can write the document must not choose what decrypts it.

    Raises:
        InvalidOption: it holds entries of its own, points elsewhere, or names another key.
    """
    if file.place == place:
        check_ownership(file, backend, key, fingerprint_key, file.path)
        if file.backend and file.key:
            return file.text
    elif file.entries or file.place is not None:
        held = f"points to '{file.place}'" if file.place is not None else f"holds {listed(file.entries)}"
        raise InvalidOption(
            f"{file.path} {held}, but should point to '{place}'. Move it away, and pass all secrets again to encrypt "
            "them again."
        )
    document = Document(file.text, file.path)
    metadata = document.content.setdefault(METADATA, {})
    metadata.update({"format": FLAT, "store": IN_KV, "kv_mount": place.mount, "kv_path": place.path})
    metadata.update({"backend": backend, "key": key})
    if fingerprint_key != key:
        metadata["fingerprint_key"] = fingerprint_key
    return document.text()


def check_document(document: VarsFile, backend: str, key: str) -> None:
    """Refuse a document that names another engine or key than the file or the task that leads to it.

    Raises:
        InvalidOption: it does, or nothing else names them.
    """
    if not (backend and key):
        raise InvalidOption(
            f"{document.path}: what points to this document must name its engine and key. Run vault_transit_vars "
            "again, with path."
        )
    for name, claimed, expected in (("backend", document.backend, backend), ("key", document.key, key)):
        if claimed != expected:
            raise InvalidOption(
                f"{document.path} names {name} '{claimed}', but what points to it names '{expected}'. Somebody may "
                "have changed the document. Nothing was decrypted."
            )


def check_ownership(file: VarsFile, backend: str, key: str, fingerprint_key: str, path: str) -> None:
    """Refuse a file that was written with another key.

    Raises:
        InvalidOption: engine, key or fingerprint key differ from those in the file.
    """
    wanted = (("backend", file.backend, backend), ("key", file.key, key))
    differing = [f"{name} '{stored}', not '{asked}'" for name, stored, asked in wanted if stored and stored != asked]
    if (file.key or file.fingerprint_key) and (file.fingerprint_key or file.key) != fingerprint_key:
        differing.append(f"fingerprint_key '{file.fingerprint_key or file.key}', not '{fingerprint_key}'")
    if differing:
        raise InvalidOption(
            f"{path} was written with {' and '.join(differing)}. Use what the file names, or move the file away and "
            "pass all secrets again to encrypt them again."
        )
