# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Values of leaves as they are encrypted. Pure. **Private** to the collection.

A text is encrypted as it is, so whatever decrypts it needs to know nothing. Everything else, and an empty text, is
encrypted as JSON, and the entry says so.
"""

from __future__ import annotations

import json
from typing import Any


class Json(bytes):
    """JSON, of a value that is not a text."""


class NotEncryptable(ValueError):
    """A value that JSON cannot express.

    Attributes:
        must: what it must be, as the end of a sentence.
    """

    def __init__(self, must: str) -> None:
        super().__init__(must)
        self.must = must


class TypeUnknown(ValueError):
    """A value may be a text or not, and the fingerprint that would say so is missing, or of another ciphertext.

    Attributes:
        why: the same, as a part of a sentence.
    """

    why = (
        "its type is not known, because its fingerprint in hmac is missing or that of another value, as after a merge. "
        "Write its value again, with 'mlkeys set' or vault_transit_vars"
    )


def encoded(value: Any) -> bytes:
    """A value as it is encrypted.

    Raises:
        NotEncryptable: it is a date, binary, or a text that is not Unicode.
    """
    if isinstance(value, str):
        try:
            return value.encode("utf-8") if value else Json(b'""')
        except UnicodeEncodeError:
            # Bytes that are not UTF-8 arrive as lone surrogates, which cannot be sent. The error has the text.
            raise NotEncryptable("must be text (quote it)") from None
    if value is not None and not isinstance(value, (bool, int, float)) and value not in ({}, []):
        raise NotEncryptable("must be text, a number, true, false or null (quote it)")
    return Json(json.dumps(value).encode("ascii"))


def decoded(content: bytes) -> Any:
    """The value of decrypted content.

    Raises:
        ValueError: it is not text, or not JSON as its entry says.
    """
    return json.loads(content.decode("ascii")) if isinstance(content, Json) else content.decode("utf-8")


def may_be_json(content: bytes) -> bool:
    """Whether content is what a value that is not text is encrypted as. Some texts are, too."""
    try:
        value = json.loads(content.decode("ascii"))
    except ValueError:
        return False
    return value in ("", {}, []) or not isinstance(value, (str, dict, list))


def as_content(content: bytes) -> bytes:
    """What a program gets that takes bytes: an empty text is empty, and not the JSON of it."""
    return b"" if isinstance(content, Json) and content == b'""' else content


def is_same(one: bytes, other: bytes) -> bool:
    """Whether both are the same value: a number is not the text that looks like it."""
    return one == other and isinstance(one, Json) is isinstance(other, Json)
