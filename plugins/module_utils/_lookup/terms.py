# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What the lookup does: many values, one operation, one request. **Private** to the collection.

No message repeats a value: an item is named by its position, and by its name where it has one.
"""

from __future__ import annotations

import base64
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, ItemsFailed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import (
    Item,
    Transit,
    decode_base64,
    item_label,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import interpret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import stored_item

OPERATIONS = ("decrypt", "encrypt", "hmac", "read", "rewrap")
ENCODINGS = ("base64", "utf-8")

_TERM_FIELDS = ("value", "name", "context", "associated_data", "key_version")
# Their terms are plaintext; those of the others are ciphertext.
_TAKE_PLAINTEXT = ("encrypt", "hmac")


def transform(client: Client, terms: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """The results for all terms, in their order.

    Args:
        terms: texts, or mappings with ``value`` and what else differs from term to term; lists are flattened. With
            ``kv_path``, names of entries.
        options: those of the lookup ``vault_transit``.

    Raises:
        InvalidOption: a term cannot be right.
        ItemsFailed: the server refused some of them.
    """
    operation = options["operation"]
    if options.get("kv_path"):
        return _stored(client, _flat(terms), options)
    if operation == "read":
        raise InvalidOption("operation read needs kv_path: the path of the document to read.")
    if not options.get("key"):
        raise InvalidOption("key is missing: the name of the key.")
    key = checked_name(options["key"])
    items = items_from(terms, options)
    if not items:
        return []
    transit = Transit(client, options["backend"])
    if operation == "decrypt":
        return _texts(transit.decrypt(key, items), items, options["encoding"], f"{transit.backend}/decrypt/{key}")
    if operation == "encrypt":
        transit.check_key_exists(key)
        return transit.encrypt(key, items)
    if operation == "rewrap":
        return transit.rewrap(key, items)
    return transit.hmac(key, items)


def _stored(client: Client, names: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """What an encrypted document in a KV engine holds under these names: plaintexts, or ciphertexts to read.

    Reading no name gives the whole document.
    """
    if options["operation"] not in ("decrypt", "read"):
        raise InvalidOption("kv_path goes with the operations decrypt and read alone.")
    place = f"{options['kv_mount']}/{options['kv_path']}"
    content = Documents(client, options["kv_mount"]).read(options["kv_path"]).content
    file = interpret(content, place)
    missing = [str(name) for name in names if name not in file.entries]
    if missing:
        hint = did_you_mean(missing[0], file.entries)
        raise InvalidOption(f"There is no {', '.join(missing)} in '{place}'.{hint}")
    if options["operation"] == "read":
        return [file.entries[name].ciphertext for name in names] if names else [dict(content)]
    if not names:
        return []
    items = [stored_item(file.entries[name]) for name in names]
    values = Transit(client, file.backend).decrypt(file.key, items)
    return _texts(values, items, options["encoding"], f"{file.backend}/decrypt/{file.key}")


def items_from(terms: Sequence[Any], options: Mapping[str, Any]) -> list[Item]:
    """The terms as items of a batch.

    Raises:
        InvalidOption: with every term that cannot be right.
    """
    items, problems = [], []
    for index, term in enumerate(_flat(terms)):
        fields = term if isinstance(term, Mapping) else {"value": term}
        label = item_label(index, str(fields.get("name") or ""))
        problem = _term_problem(fields, options)
        if problem:
            problems.append(f"{label}: {problem}")
            continue
        try:
            items.append(_item(fields, options))
        except ValueError as error:
            problems.append(f"{label}: {error}")
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return items


def _flat(terms: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for term in terms:
        flat.extend(term if isinstance(term, (list, tuple)) else [term])
    return flat


def _term_problem(fields: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    unknown = [str(name) for name in fields if name not in _TERM_FIELDS]
    if unknown:
        return f"'{unknown[0]}' is not known in a term, only {', '.join(_TERM_FIELDS)} are"
    if not _is_text(fields.get("value")):
        return "its value must be text"
    if options["operation"] == "rewrap" and fields.get("associated_data", options.get("associated_data")):
        return "the server cannot rewrap what is bound to associated data: decrypt and encrypt it"
    return None


def _item(fields: Mapping[str, Any], options: Mapping[str, Any]) -> Item:
    takes_plaintext = options["operation"] in _TAKE_PLAINTEXT
    value = str(fields["value"])
    if takes_plaintext and options["encoding"] == "base64":
        content = decode_base64(value)
    else:
        # Blanks around a ciphertext mean nothing, and the server refuses them.
        content = (value if takes_plaintext else value.strip()).encode("utf-8")
    return Item(
        content,
        str(fields.get("name") or ""),
        context=_bytes(fields.get("context", options.get("context"))),
        associated_data=_bytes(fields.get("associated_data", options.get("associated_data"))),
        key_version=_version(fields.get("key_version", options.get("key_version"))),
    )


def _version(value: Any) -> int:
    text = str(value or 0).strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError("its key_version must be a number, 0 for the latest")
    return int(text)


def _is_text(value: Any) -> bool:
    # What was no UTF-8 arrives with lone surrogates, which cannot be sent.
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _bytes(text: Any) -> bytes | None:
    return None if text is None else str(text).encode("utf-8")


def _texts(values: Sequence[bytes], items: Sequence[Item], encoding: str, path: str) -> list[str]:
    if encoding == "base64":
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
