# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Which files are searched for ciphertexts. **Private** to the collection."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.replacing import is_temporary

# Files in these must not be rewritten.
NEVER = (".git", ".hg", ".svn")


@dataclass(frozen=True)
class Search:
    """Where to search.

    Attributes:
        paths: files, folders and patterns (``/etc/mlkeys/*/agent.hcl``).
        patterns: names of files in folders.
        exclude: names of files and folders to leave out.
        max_bytes: the size of the largest file to search.
    """

    paths: Sequence[str]
    patterns: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    max_bytes: int = 10 * 1024 * 1024

    def files(self) -> list[str]:
        """The files, each once, sorted; links are followed to what they point to.

        Raises:
            InvalidOption: a path that is not a pattern does not exist.
        """
        found: dict[str, None] = {}
        missing = []
        for path in self.paths:
            matches = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
            for match in matches:
                if os.path.isdir(match):
                    found.update(dict.fromkeys(self._below(match)))
                elif os.path.exists(match):
                    found[os.path.realpath(match)] = None
                else:
                    missing.append(match)
        if missing:
            raise InvalidOption(f"paths: {', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist.")
        return sorted(path for path in found if self._is_wanted(path))

    def _below(self, folder: str) -> Iterator[str]:
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name not in NEVER and not self._is_excluded(name)]
            for name in names:
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns):
                    yield os.path.realpath(os.path.join(place, name))

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude)

    def _is_wanted(self, path: str) -> bool:
        name = os.path.basename(path)
        if self._is_excluded(name) or is_temporary(name):
            return False
        try:
            status = os.stat(path)
        except OSError:
            # A link whose target does not exist.
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size <= self.max_bytes


def search_from(options: Mapping[str, Any]) -> Search:
    """The search that the options of a module ask for."""
    return Search(
        [os.path.expanduser(path) for path in options["paths"]],
        options["patterns"] or ("*",),
        options["exclude"] or (),
        options["max_bytes"],
    )


def read(path: str) -> bytes:
    """The file's content.

    Raises:
        InvalidOption: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidOption(f"{path}: {error.strerror or 'it cannot be read'}.") from None
