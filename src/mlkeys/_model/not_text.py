# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Objects of a program, and what to use of them where a text is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from mlkeys._errors import MlkeysError
from mlkeys._providers.literals import shown


class NotText:
    """Something that cannot be formatted as text, or whose name for messages would be mistaken for its value."""

    __slots__ = ()

    #: What to do with it, by what is wanted. `name` is the name of anything. `data` is what is a text after deployment,
    #: and `plaintext` is data that may hold plaintext. `engine`, `auth`, `policy` and `secret` are the names of one,
    #: `ciphertext` is one, `source` is what can be encrypted, `key` and `group` are constructs.
    OFFERS: ClassVar[Mapping[str, str]] = {}

    def __str__(self) -> str:
        return self.__format__("")

    def __format__(self, _spec: str) -> str:
        raise MlkeysError(f"{shown(self)} cannot be formatted as text: {self._advice()}")

    def _advice(self) -> str:
        found = self.OFFERS.get("data") or self.OFFERS.get("name")
        return f"{found}, or repr() in a message" if found else "use repr() in a message"


#: What may stand where something else is wanted.
_ALSO = {"data": ("name",), "plaintext": ("data", "name")}


def instead(value: object, wanted: str) -> str:
    """Return the end of a message about a wrong value: what to use of an object in it. Empty if nothing of it fits.

    Args:
        wanted: one of the words of `OFFERS`.
    """
    for one in _objects(value):
        for word in (wanted, *_ALSO.get(wanted, ())):
            if word in one.OFFERS:
                return f": {one.OFFERS[word]}"
    return ""


def _objects(value: object) -> Iterator[NotText]:
    """Yield the objects in nested data."""
    if isinstance(value, NotText):
        yield value
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from _objects(pair)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _objects(part)
