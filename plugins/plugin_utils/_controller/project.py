# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The encrypted vars files of the project that Ansible runs. **Private** to the collection."""

from __future__ import annotations

import os
import time
from typing import Iterable

from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_places

# The playbooks of the collection are nobody's project.
_PLAYBOOKS = os.path.join(os.path.realpath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)), "playbooks")

# A folder that changed a moment ago may change once more without looking different.
_SETTLED_NS = 2_000_000_000


class Names:
    """The names in folders, each of which is listed again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], frozenset[str]]] = {}

    def of(self, folder: str) -> frozenset[str]:
        try:
            status = os.stat(folder)
            mark = (status.st_mtime_ns, status.st_dev, status.st_ino)
            known = self._known.get(folder)
            if known is not None and known[0] == mark:
                return known[1]
            names = frozenset(os.listdir(folder))
        except OSError:
            return frozenset()
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            self._known[folder] = (mark, names)
        return names


def beside(sources: Iterable[str], problem: vars_places.Problem) -> list[str]:
    """The encrypted vars files beside inventories and playbooks, each once."""
    return vars_places.beside(sources, problem, but=_PLAYBOOKS)


def texts_beside(sources: Iterable[str], problem: vars_places.Problem) -> list[str]:
    """What else Ansible reads there, and ciphertexts may be written in by hand. Real paths."""
    return vars_places.texts_beside(sources, problem, but=_PLAYBOOKS)
