# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Why the ciphertexts of a file cannot be replaced, whatever they are. **Private** to the collection."""

from __future__ import annotations

import errno
import os

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Walk
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import VERSION_CONTROL_FOLDERS

LINKED = (
    "it has other names (hard links) outside of the searched places, which would keep the old ciphertext: search them "
    "too, or replace the file by a copy"
)
# With this begins the reason for what the system does not allow. The user can change that.
UNWRITABLE = "it cannot be written"


def unwritable(error: OSError) -> str:
    return f"{UNWRITABLE} ({error.strerror or 'unknown error'})"


class Obstacles:
    """What stands in the way of files, as a rewrite would find it."""

    def __init__(self, places: Walk) -> None:
        self._linked = places.linked
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """What stands in the way of one, empty for nothing."""
        if path in self._linked:
            return LINKED
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = _of_folder(folder)
        return self._folders[folder]


def _of_folder(folder: str) -> str:
    kept = next((name for name in folder.split(os.sep) if name in VERSION_CONTROL_FOLDERS), "")
    if kept:
        return f"it is in {kept}, where nothing is rewritten"
    # A new file takes the place of the old one.
    effective = os.access in os.supports_effective_ids
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        return ""
    try:
        code = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
    except OSError as error:
        # It is gone, or cannot be reached any more.
        return unwritable(error)
    return unwritable(OSError(code, os.strerror(code)))
