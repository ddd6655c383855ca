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
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import beside


def conflicts(arguments: Mapping[str, Any]) -> Iterator[str]:
    """A message for each encrypted vars file beside inventories and playbooks that has a merge conflict.

    Also for those in `vars` and `roles`, which `vars_files` and `include_vars` load.

    Args:
        arguments: those of Ansible's command.
    """
    for file in beside(_places(arguments), lambda _problem: None):
        # The code that uses the file gets the error.
        with contextlib.suppress(OSError), opened_to_read(file) as stream:
            problem = conflict_in(stream.read(MOST_BYTES), file)
            if problem:
                yield one_line(problem)


def _places(arguments: Mapping[str, Any]) -> list[str]:
    """Where Ansible looks for variables."""
    playbooks = arguments.get("args") or ()
    named = [*(arguments.get("inventory") or ()), *([playbooks] if isinstance(playbooks, str) else playbooks)]
    places = [os.path.abspath(place) for place in named if isinstance(place, str) and os.path.exists(place)]
    return [*places, os.path.abspath(arguments.get("basedir") or os.curdir)]
