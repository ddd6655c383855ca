# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the account of a key's rotation is about. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence


@dataclass(frozen=True)
class Scope:
    """What the account is about.

    Attributes:
        target: the version that no ciphertext should be behind.
        floor: the key's present `min_decryption_version`.
        available: the oldest version that is not trimmed.
        raised: the key's `min_encryption_version`, which a rotation raises together with the floor.
        floor_since: when the version of the floor was created, empty if that is not known.
        created: when the oldest version that the key has was created.
        files: the encrypted vars files of the key.
        hosts: the names of the hosts to search, whether or not a run is limited to some of them.
        unread: places on the controller that the discovery could not read, or does not.
        refused: files on the controller that could not be rewritten.
        is_final: whether everything is rewrapped, so that nothing may be behind.
        predicts: whether the account is that of a run that nobody has made: the numbers are those after it.
        strict: whether files that were not searched for being compressed block.
        unused: whether the key may have no ciphertexts at all.
        recover: whether ciphertexts below the floor are rewrapped.
        replaced: names of the secrets that get new values.
        elsewhere: the version that no ciphertext is behind in other places that use the key, by their names.
        beyond: the result of the search of other files with ciphertexts in the same repositories and folders.
        declared: what is read there since variables declare it.
        read, undeclared: the same of earlier runs in other places, and what they found that nothing declares.
        used: the patterns that matched something there, by kind.
        follow: whether another run, which gets all this from this one, raises the floor.
        rotation: whether a version was created (``done``), and asked for (``asked``), which an unfinished rotation
            prevents; the ``age`` of the version before, in seconds or empty if it is not known, and the duration
            after which it is ``due``. Empty before that is decided.
    """

    backend: str
    key: str
    target: int
    floor: int = 1
    raised: int = 0
    available: int = 0
    floor_since: str = ""
    created: str = ""
    files: Sequence[str] = ()
    hosts: Sequence[str] = ()
    unread: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Mapping[str, Any]] = ()
    accept_unknown: Sequence[str] = ()
    accept_unread: Sequence[str] = ()
    is_final: bool = True
    predicts: bool = False
    strict: bool = False
    unused: bool = False
    recover: bool = False
    replaced: Sequence[str] = ()
    elsewhere: Mapping[str, Any] = field(default_factory=dict)
    beyond: Mapping[str, Any] = field(default_factory=dict)
    declared: Sequence[str] = ()
    read: Sequence[str] = ()
    undeclared: Sequence[Mapping[str, Any]] = ()
    used: Mapping[str, Sequence[str]] = field(default_factory=dict)
    follow: bool = False
    rotation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.backend}/{self.key}"
