# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Terms of the lookup as items of a batch. Pure. **Private** to the collection.

No message repeats a value: an item is named by its position, and by its name where it has one.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item, item_label

_TERM_FIELDS = ("value", "name", "context", "associated_data", "key_version")


@dataclass(frozen=True)
class TermDefaults:
    """What applies to every term that does not set it itself.

    Attributes:
        plaintext: whether the values are plaintext; else they are ciphertext.
        rewrap: whether the values are to rewrap, which the server cannot do with associated data.
        base64: whether plaintext is base64.
    """

    plaintext: bool
    rewrap: bool = False
    base64: bool = False
    context: Any = field(default=None, repr=False)
    associated_data: Any = field(default=None, repr=False)
    key_version: Any = 0


def items_from(terms: Sequence[Any], defaults: TermDefaults) -> list[Item]:
    """The terms as items of a batch.

    Raises:
        InvalidOption: with every term that cannot be right.
    """
    items, problems = [], []
    for index, term in enumerate(flat(terms)):
        fields = term if isinstance(term, Mapping) else {"value": term}
        label = item_label(index, str(fields.get("name") or ""))
        problem = _term_problem(fields, defaults)
        if problem:
            problems.append(f"{label}: {problem}")
            continue
        try:
            items.append(_item(fields, defaults))
        except ValueError as error:
            problems.append(f"{label}: {error}")
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return items


def flat(terms: Sequence[Any]) -> list[Any]:
    """The terms, with those in lists in the place of their list."""
    found: list[Any] = []
    for term in terms:
        found.extend(term if isinstance(term, (list, tuple)) else [term])
    return found


def _term_problem(fields: Mapping[str, Any], defaults: TermDefaults) -> str | None:
    unknown = [str(name) for name in fields if name not in _TERM_FIELDS]
    if unknown:
        return f"'{unknown[0]}' is not known in a term, only {', '.join(_TERM_FIELDS)} are"
    if not _is_text(fields.get("value")):
        return "its value must be text"
    if defaults.rewrap and fields.get("associated_data", defaults.associated_data):
        return "the server cannot rewrap what is bound to associated data: decrypt and encrypt it"
    return None


def _item(fields: Mapping[str, Any], defaults: TermDefaults) -> Item:
    value = str(fields["value"])
    if defaults.plaintext and defaults.base64:
        content = decode_base64(value)
    else:
        # Blanks around a ciphertext mean nothing, and the server refuses them.
        content = (value if defaults.plaintext else value.strip()).encode("utf-8")
    return Item(
        content,
        str(fields.get("name") or ""),
        context=_bytes(fields.get("context", defaults.context)),
        associated_data=_bytes(fields.get("associated_data", defaults.associated_data)),
        key_version=_version(fields.get("key_version", defaults.key_version)),
    )


def _version(value: Any) -> int:
    text = str(value or 0).strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError("its key_version must be a number, 0 for the latest")
    return int(text)


def _is_text(value: Any) -> bool:
    # What was not UTF-8 arrives with lone surrogates, which cannot be sent.
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _bytes(text: Any) -> bytes | None:
    return None if text is None else str(text).encode("utf-8")


def decode_base64(text: str) -> bytes:
    """Strict base64.

    Raises:
        ValueError: the text is not base64. The message does not repeat it.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not valid base64") from None
