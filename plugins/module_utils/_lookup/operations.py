# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The operations of the lookup: many values, one operation, one request. **Private** to the collection."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ItemsFailed,
    MountNotFound,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.terms import TermDefaults, flat, items_from
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item, item_label
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import check_document, interpret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

# Their terms are plaintext; those of the others are ciphertext.
_OF_PLAINTEXT = ("encrypt", "hmac")
_WITHOUT_KEY = ("kv_get", "read")


@dataclass(frozen=True)
class LookupRequest:
    """What the lookup has to do: the options of ``vault_transit``, checked.

    Attributes:
        kv_path: the document whose entries the terms name, empty when the terms are the values.
        defaults: what applies to every term that does not set it itself.
    """

    operation: str
    backend: str
    key: str
    base64: bool
    kv_mount: str
    kv_path: str
    defaults: TermDefaults


def lookup_request(options: Mapping[str, Any]) -> LookupRequest:
    """The request that the options of the lookup ``vault_transit`` make.

    Raises:
        InvalidOption: options do not go together, or a key cannot have this name.
    """
    operation = options["operation"]
    in_kv = bool(options.get("kv_path"))
    if in_kv and operation not in ("decrypt", *_WITHOUT_KEY):
        raise InvalidOption("kv_path can only be used with the operations decrypt, kv_get and read.")
    if not in_kv and operation in _WITHOUT_KEY:
        raise InvalidOption(f"operation {operation} needs kv_path: the path of the document to read.")
    if operation not in _WITHOUT_KEY and not options.get("key"):
        raise InvalidOption("key is missing: the name of the key.")
    as_base64 = options["encoding"] == "base64"
    return LookupRequest(
        operation=operation,
        backend=options["backend"],
        key="" if operation in _WITHOUT_KEY else checked_name(options["key"]),
        base64=as_base64,
        kv_mount=options["kv_mount"],
        kv_path=options.get("kv_path") or "",
        defaults=TermDefaults(
            plaintext=operation in _OF_PLAINTEXT,
            rewrap=operation == "rewrap",
            base64=as_base64,
            context=options.get("context"),
            associated_data=options.get("associated_data"),
            key_version=options.get("key_version"),
        ),
    )


def look_up(client: Client, terms: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """The results for all terms, in their order.

    Args:
        terms: texts, or mappings with ``value`` and what else differs from term to term; lists are flattened. With
            ``kv_path``, names of entries.
        options: those of the lookup ``vault_transit``.

    Raises:
        InvalidOption: a term cannot be right.
        ItemsFailed: the server refused some of them.
    """
    request = lookup_request(options)
    if request.operation == "kv_get":
        return _fields(client, flat(terms), request)
    if request.kv_path:
        return _stored(client, flat(terms), request)
    items = items_from(terms, request.defaults)
    if not items:
        return []
    transit = Transit(client, request.backend)
    if request.operation == "decrypt":
        place = f"{transit.backend}/decrypt/{request.key}"
        return _texts(transit.decrypt(request.key, items), items, request, place)
    if request.operation == "encrypt":
        transit.check_key_exists(request.key)
        return transit.encrypt(request.key, items)
    if request.operation == "rewrap":
        return transit.rewrap(request.key, items)
    return transit.hmac(request.key, items)


def _fields(client: Client, names: Sequence[Any], request: LookupRequest) -> list[Any]:
    """Fields of a secret in a KV engine as they are stored, or with no name all of them."""
    place = f"{request.kv_mount}/{request.kv_path}"
    try:
        content = Documents(client, request.kv_mount).read(request.kv_path).content
    except MountNotFound:
        if names:
            raise
        content = {}
    _check_present(names, content, place)
    return [content[name] for name in names] if names else [dict(content)]


def _check_present(names: Sequence[Any], known: Mapping[str, Any], place: str) -> None:
    missing = [str(name) for name in names if name not in known]
    if missing:
        raise InvalidOption(f"There is no {', '.join(missing)} in '{place}'.{did_you_mean(missing[0], known)}")


def _stored(client: Client, names: Sequence[Any], request: LookupRequest) -> list[Any]:
    """What an encrypted document in a KV engine holds under these names: plaintexts, or ciphertexts to read.

    Reading no name gives the whole document.
    """
    place = f"{request.kv_mount}/{request.kv_path}"
    content = Documents(client, request.kv_mount).read(request.kv_path).content
    file = interpret(content, place)
    _check_present(names, file.entries, place)
    if request.operation == "read":
        return [file.entries[name].ciphertext for name in names] if names else [dict(content)]
    if not names:
        return []
    items = [stored_item(file.entries[name]) for name in names]
    transit = Transit(client, request.backend)
    check_document(file, transit.backend, request.key)
    return _texts(transit.decrypt(request.key, items), items, request, f"{transit.backend}/decrypt/{request.key}")


def _texts(values: Sequence[bytes], items: Sequence[Item], request: LookupRequest, path: str) -> list[str]:
    if request.base64:
        return [base64.b64encode(value).decode("ascii") for value in values]
    texts, failures = [], []
    for index, value in enumerate(values):
        try:
            texts.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            failures.append((item_label(index, items[index].name), "it is not text: ask for encoding base64"))
    if failures:
        raise ItemsFailed("decrypt", path, len(items), failures)
    return texts
