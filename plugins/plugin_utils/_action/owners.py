# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which other keys own ciphertexts that are of none of the given keys. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

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
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.copies import may_be_copied


class _Key(NamedTuple):
    """Another key.

    Attributes:
        actual: its attributes, ``None`` where they cannot be read.
    """

    transit: Transit
    name: str
    actual: Mapping[str, Any] | None

    @property
    def derived(self) -> bool:
        return bool((self.actual or {}).get("derived", True))


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
        self._keys: list[_Key] | None = None
        self._ours: list[Mapping[str, Any]] | None = None
        self._notes: list[str] = []

    def place(self, found: Iterable[FoundCiphertext], results: Mapping[str, RewrapResult]) -> dict[str, RewrapResult]:
        """The results, with those that another key owns marked so.

        A key that may be a copy of a given one proves nothing: its ciphertexts count as those of the given key.
        """
        placed = dict(results)
        unknown = {one.text: one for one in found if not placed[one.text].is_placed and is_ciphertext(one.text)}
        if not unknown:
            return placed
        tried: dict[str, list[str]] = {text: [] for text in unknown}
        for other in self._all():
            wanted = Wanted(other.name, names=self._names)
            owned, note = find_owners(other.transit, list(unknown.values()), wanted, derived=other.derived)
            for text in list(unknown):
                if text not in owned:
                    tried[text].append(note)
                elif self._may_be_copied(other, unknown[text].version):
                    tried[text].append(f"{note} (decrypts it, and may be a copy of the key)")
                    placed[text] = placed[text]._replace(name=owned[text])
                else:
                    placed[text] = RewrapResult(FOREIGN, owner=(other.transit.backend, other.name))
                    del unknown[text]
            if not unknown:
                return placed
        for text, places in tried.items():
            if text in unknown:
                placed[text] = placed[text]._replace(tried=(*placed[text].tried, *places, *self._notes))
        return placed

    def _may_be_copied(self, other: _Key, version: int) -> bool:
        if self._ours is None:
            self._ours = [
                actual for backend, name in sorted(self._given) if (actual := _read(self._transit(backend), name))
            ]
        return any(may_be_copied(actual, other.actual, version) for actual in self._ours)

    def _transit(self, backend: str) -> Transit:
        return Transit(self._connect(), backend)

    def _all(self) -> list[_Key]:
        if self._keys is None:
            self._keys = []
            for backend in self._backends:
                self._list(self._transit(backend), self._keys)
        return self._keys

    def _list(self, transit: Transit, keys: list[_Key]) -> None:
        try:
            names = transit.key_names()
        except ServerError:
            self._notes.append(f"other keys of {transit.backend} (not allowed to list them)")
            return
        for name in names:
            if (transit.backend, name) not in self._given:
                key = _Key(transit, name, _read(transit, name))
                if key.actual is None or key.actual.get("supports_encryption", True):
                    keys.append(key)


def _read(transit: Transit, name: str) -> Mapping[str, Any] | None:
    """The attributes of a key, ``None`` where it cannot be read."""
    try:
        return transit.read_key(name)
    except ServerError:
        return None
