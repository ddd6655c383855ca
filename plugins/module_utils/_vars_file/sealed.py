# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Decrypt entries of encrypted vars files, each of them once in a run. **Private** to the collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item


class Sealed(NamedTuple):
    """An entry to decrypt, and the key that encrypted it."""

    backend: str
    key: str
    item: Item

    def __repr__(self) -> str:
        return f"Sealed({self.backend!r}, {self.key!r}, {self.item!r})"


def decrypted_each(client: Client, wanted: Sequence[Sealed], beside: Sequence[Sealed] = ()) -> list[bytes | str]:
    """What entries of one key decrypt to, in one request.

    Args:
        beside: entries that nobody waits for. They are left out if the token may not decrypt all in one request.
    """
    # As in the vars plugin: a run that only looks decrypts nothing.
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import located

    backend, key, _item = wanted[0]
    transit = Transit(client, backend)
    try:
        results = transit.decrypt_each(key, [one.item for one in (*wanted, *beside)], together=bool(beside))
    except PermissionDenied:
        if not beside:
            raise
        results = transit.decrypt_each(key, [one.item for one in wanted])
    return [located(client, backend, key, result) if isinstance(result, str) else result for result in results]


def sealed(backend: str, key: str, entries: Iterable[Entry]) -> list[Sealed]:
    """Entries of a key, to be decrypted."""
    return [Sealed(backend, key, stored_item(entry)) for entry in entries]


def recalled_each(client: Client, wanted: Sequence[Sealed]) -> list[bytes | str]:
    """The same. What a run keeps in memory is not asked for."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import sessions_if_kept

    sessions = sessions_if_kept()
    known = sessions.kept(client, decrypted_each) if sessions else {}
    return [known[one] for one in wanted] if all(one in known for one in wanted) else decrypted_each(client, wanted)


def known_by_now(client: Client, values: Mapping[Sealed, bytes], rewrapped: Mapping[Sealed, Sealed]) -> None:
    """Keep the run from asking for what it has just written itself, where it keeps in memory what it decrypts.

    Args:
        values: the plaintexts of new entries.
        rewrapped: for new ciphertexts, those of the same plaintexts that they replace.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import sessions_if_kept

    sessions = sessions_if_kept()
    if sessions:
        sessions.learn(client, decrypted_each, values, rewrapped)
