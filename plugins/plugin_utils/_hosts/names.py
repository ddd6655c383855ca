# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of services, and what of them belongs to the role. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, Sequence

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")

# The units that watch the ciphertext of a service, and what is beside its folder in /run/mlkeys.
_RESERVED = re.compile(r"mlkeys-.*|.*\.(?:versions|previous|values|begun|ended|pid)(?:\.new)?")


def problems_of_name(name: str, *, present: bool) -> Iterator[str]:
    """What is wrong with a name. One that is reserved can be that of a service which has to go."""
    if not _SERVICE.fullmatch(name) or name.endswith(".service"):
        yield "its name must consist of letters, digits, '_', '-' and '.', without '.service'"
    elif present and _RESERVED.fullmatch(name):
        yield (
            "the role keeps names that begin with 'mlkeys-', or end in '.versions', '.previous', '.values', '.begun', "
            "'.ended' or '.pid', for files of its own"
        )


def problems_of_names(services: Sequence[Mapping[str, Any]], index: int) -> Iterator[str]:
    """What a service has in common with one before it."""
    name = str(services[index].get("name") or "")
    before = [str(service.get("name") or "") for service in services[:index]]
    if name in before:
        yield "another service has the same name"
    for other in before:
        # Of files that start services at boot.
        if other != name and other.replace(".", "_") == name.replace(".", "_"):
            yield f"its name differs from '{other}' in '.' and '_' alone, which names of files at boot do not"
