# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of a rotation will leave, from what a search found before it. Pure. **Private** to the collection."""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Mapping

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.scope import Scope

# States of vault_transit_ciphertext_info: of ciphertexts that can be rewrapped, and of all.
CURRENT, BEHIND = "current", "behind"

#: Numbers of ciphertexts, by engine and key, version, and state.
Counts = Mapping["tuple[str, int, str]", int]


def counts_after(counts: Counts, stuck: Iterable[int], left: int, scope: Scope) -> Counter[tuple[str, int, str]]:
    """The numbers of ciphertexts after the run.

    Args:
        stuck: the versions of those that cannot be rewrapped.
        left: how many of the others are left for a later run.
    """
    held = Counter(stuck)
    after: Counter[tuple[str, int, str]] = Counter()
    # Which ones are left, only a run decides. Most hosts have those of one version.
    for (place, version, state), count in sorted(counts.items(), reverse=True):
        if not _is_rewrapped(place, version, state, scope):
            after[place, version, state] += count
            continue
        kept = min(held[version], count)
        held[version] -= kept
        later = min(left, count - kept)
        left -= later
        after[place, version, BEHIND] += kept + later
        after[place, scope.target, CURRENT] += count - kept - later
    return +after


def _is_rewrapped(place: str, version: int, state: str, scope: Scope) -> bool:
    return place == scope.name and version < scope.target and state in (CURRENT, BEHIND)
