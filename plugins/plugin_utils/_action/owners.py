# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which other keys own ciphertexts that are of none of the given keys. **Private** to the collection."""

from __future__ import annotations

from typing import Callable, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext, is_ciphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    FOREIGN,
    RewrapResult,
    Wanted,
    find_owners,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit


class OtherKeys:
    """All keys of some engines but a few. They are read when they are needed, once."""

    def __init__(
        self,
        connect: Callable[[], Client],
        backends: Iterable[str],
        given: Iterable[tuple[str, str]],
        names: Sequence[str],
    ) -> None:
        """
        Args:
            given: the engines and names of keys that are left out.
            names: of secrets, to try as contexts.
        """
        self._connect = connect
        self._backends = list(dict.fromkeys(backend.strip("/") for backend in backends))
        self._given = set(given)
        self._names = names
        self._keys: list[tuple[Transit, str, bool]] | None = None
        self._notes: list[str] = []

    def place(self, found: Iterable[FoundCiphertext], results: Mapping[str, RewrapResult]) -> dict[str, RewrapResult]:
        """The results, with those that another key owns marked so."""
        placed = dict(results)
        unknown = {one.text: one for one in found if not placed[one.text].is_placed and is_ciphertext(one.text)}
        if not unknown:
            return placed
        tried: list[str] = []
        for transit, name, derived in self._all():
            wanted = Wanted(name, names=self._names)
            owned, note = find_owners(transit, list(unknown.values()), wanted, derived=derived)
            tried.append(note)
            for text in owned:
                placed[text] = RewrapResult(FOREIGN, owner=(transit.backend, name))
                del unknown[text]
            if not unknown:
                return placed
        more = (*tried, *self._notes)
        for text in unknown:
            placed[text] = placed[text]._replace(tried=(*placed[text].tried, *more))
        return placed

    def _all(self) -> list[tuple[Transit, str, bool]]:
        if self._keys is None:
            self._keys = []
            for backend in self._backends:
                self._read(Transit(self._connect(), backend), self._keys)
        return self._keys

    def _read(self, transit: Transit, keys: list[tuple[Transit, str, bool]]) -> None:
        try:
            names = transit.key_names()
        except ServerError:
            self._notes.append(f"other keys of {transit.backend} (not allowed to list them)")
            return
        for name in names:
            if (transit.backend, name) in self._given:
                continue
            try:
                actual = transit.read_key(name) or {}
            except ServerError:
                actual = {}
            if actual.get("supports_encryption", True):
                keys.append((transit, name, bool(actual.get("derived", True))))
