# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read encrypted vars files, and the documents that they point to. **Private** to the collection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.reading import opened_to_read
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import MOST_BYTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_document
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import content_of
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    Entry,
    VarsFile,
    interpret,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item

# Returns a client that is logged in, or raises TransitError.
Connect = Callable[[], "Client"]


def load(path: str, connect: Connect) -> VarsFile:
    """The file's content, or that of the document in a KV engine that it points to.

    Raises:
        TransitError: it is not an encrypted vars file. The message repeats no line of it.
    """
    return resolved(interpret(content_of(_text(path), path), path), connect)


def _text(path: str) -> str:
    try:
        with opened_to_read(path) as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidOption(f"{path}: {error.strerror or 'it cannot be read'}.") from None
    if len(content) > MOST_BYTES:
        raise too_large(path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidOption(f"{path} is not UTF-8 text.") from None


def too_large(path: str) -> InvalidOption:
    return InvalidOption(f"{path} is larger than {MOST_BYTES >> 20} MiB.")


# Variables that decide what Ansible, and the roles of the collection, do with the rights of the run.
_CONTROLLING = ("ansible_", "vault_transit_", "mlkeys_")


def resolved(file: VarsFile, connect: Connect) -> VarsFile:
    """The same file, with the entries of the document that it points to.

    Raises:
        TransitError: the document does not exist or names another key, or no key is named.
    """
    if file.place is not None:
        file = _with_document(file, Documents(connect(), file.place.mount).read(file.place.path).content)
    else:
        _check_control(file.path, file.open, "a file may not allow by itself: move it to another vars file.")
    check_key(file)
    return file


def _with_document(file: VarsFile, content: Mapping[Any, Any]) -> VarsFile:
    """The file with the entries of the document that it points to, which has this content.

    Raises:
        InvalidOption: it is not the document of this file's key, or sets variables that control a run.
    """
    document = interpret(dict(content), f"{file.path} ({file.place})")
    _check_control(document.path, [*document.plain, *document.open], "a document may not: move it to a vars file.")
    if document.entries:
        check_document(document, file.backend, file.key)
    # A document that is not there names no key.
    backend, key = document.backend or file.backend, document.key or file.key
    return replace(document, place=file.place, backend=backend, key=key)


def check_key(file: VarsFile) -> None:
    """
    Raises:
        InvalidOption: it has entries, and does not name their key.
    """
    if file.entries and not (file.backend and file.key):
        raise InvalidOption(f"{file.path} does not name the key that encrypted it. Write it with vault_transit_vars.")


def is_controlling(name: object) -> bool:
    """Whether a variable decides what Ansible, or a role of the collection, does."""
    return str(name).startswith(_CONTROLLING)


def _check_control(path: str, names: Iterable[object], refusal: str) -> None:
    """
    Raises:
        InvalidOption: who may write secrets would decide where and how Ansible runs.
    """
    controlling = ", ".join(one_line(str(name)) for name in names if is_controlling(name))
    if controlling:
        raise InvalidOption(f"{path} sets {controlling} without encryption. That controls a run, which {refusal}")


def stored_item(entry: Entry, key_version: int = 0) -> Item:
    """An entry as part of a request to decrypt or rewrap it."""
    # A run that only looks at files makes no request.
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item

    return Item(
        entry.ciphertext.encode("utf-8"), entry.name, context=entry.name.encode("utf-8"), key_version=key_version
    )
