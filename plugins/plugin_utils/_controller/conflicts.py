# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted vars files of a run with a merge conflict. **Private** to the collection.

Ansible's own vars plugin reads these files first, and its error says nothing of a merge. So they are looked at when
Ansible loads its plugins, before one of them reads a file.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Iterator, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.reading import opened_to_read
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import MOST_BYTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.merge_conflicts import conflict_in
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import below


def conflicts(arguments: Mapping[str, Any]) -> Iterator[str]:
    """A message for each encrypted vars file beside inventories and playbooks that has a merge conflict.

    Args:
        arguments: those of Ansible's command.
    """
    files = {os.path.realpath(file): file for base in _bases(arguments) for file in _files_at(base)}
    for file in files.values():
        # The code that uses the file gets the error.
        with contextlib.suppress(OSError), opened_to_read(file) as stream:
            problem = conflict_in(stream.read(MOST_BYTES), file)
            if problem:
                yield one_line(problem)


def _bases(arguments: Mapping[str, Any]) -> list[str]:
    """The folders beside which Ansible looks for variables."""
    playbooks = arguments.get("args") or ()
    named = [*(arguments.get("inventory") or ()), *([playbooks] if isinstance(playbooks, str) else playbooks)]
    places = [os.path.abspath(place) for place in named if isinstance(place, str) and os.path.exists(place)]
    bases = [place if os.path.isdir(place) else os.path.dirname(place) for place in places]
    return [*bases, os.path.abspath(arguments.get("basedir") or os.curdir)]


def _files_at(base: str) -> list[str]:
    return [file for folder in ("group_vars", "host_vars") for file in below(os.path.join(base, folder))]
