# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places that files of the project declare, and no host of the run does. Pure. **Private** to the collection.

Of two inventories with a variable for all hosts, the last one wins; a play and a role may set variables that only they
see. What these name may hold ciphertexts, and nothing searches it. Encrypted vars files are an exception if they are in
the project, of which every file is read.
"""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Iterable, Iterator, Mapping, Protocol, Sequence

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    FILES,
    FILES_OF_CONTROLLER,
    HOST_FILES,
    PATHS,
    SERVICES,
    SOURCES,
    declared,
)

_OF_CONTROLLER = (HOST_FILES, FILES_OF_CONTROLLER, SOURCES)
#: The variables.
NAMES = (PATHS, FILES, SERVICES, *_OF_CONTROLLER)
# What names an element of a list that is a mapping.
_KEYS = {SERVICES: "name", FILES_OF_CONTROLLER: "path"}
# With the folder of a playbook or an inventory, which is the one of the file or above it.
_IN_FOLDER = re.compile(r"\{\{\s*(?:playbook_dir|inventory_dir)\s*\}\}/")
_WAYS = (
    "declare it in the inventory, rotate each inventory by itself (--also for the others) if it is of another one, or "
    "accept the file"
)
_NAMED = 3


class _Written(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def values(self) -> Sequence[Any]: ...


def overridden(
    written: Iterable[_Written],
    raw: Iterable[Mapping[str, Any]],
    hosts: Iterable[Mapping[str, Any]],
    is_read: Callable[[str], bool],
) -> Iterator[dict[str, Any]]:
    """The places that no host declares, as places that were not searched.

    A template is declared if a host has the same text. Nothing evaluates it.

    Args:
        raw: the variables of each host, with their templates.
        hosts: the same, evaluated.
        is_read: whether the run reads a file of the controller also where nothing declares it.
    """
    texts = {(name, text) for one in raw for name in NAMES for text in _texts(name, one.get(name))}
    searched = {path.rstrip("/") for one in hosts for path in declared(one).paths}

    def is_known(one: _Written, text: str) -> bool:
        if (one.name, text) in texts:
            return True
        if one.name in _OF_CONTROLLER:
            return any(map(is_read, _meant(text, os.path.dirname(one.path))))
        return one.name != SERVICES and _is_within(text, searched)

    for one in written:
        missing = [text for text in _texts(one.name, one.values) if not is_known(one, text)]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            places = f"{', '.join(missing[:_NAMED])}{more}"
            line = f"line {one.line}: " if one.line else ""
            reason = f"{line}{one.name} names {places}, which no host of this run declares: {_WAYS}"
            yield {"path": one.path, "line": one.line, "reason": reason, "kind": "failed"}


def _texts(name: str, value: Any) -> Iterator[str]:
    for one in [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ():
        text = one
        if isinstance(one, Mapping):
            text = "" if one.get("state") == "absent" else one.get(_KEYS.get(name, "dest")) or _document(one)
        if isinstance(text, str) and text:
            yield str(text)


def _document(entry: Mapping[str, Any]) -> str:
    """The document of a KV engine that an entry without a path names."""
    path = entry.get("kv_path")
    return f"{entry.get('kv_mount') or 'secret'}/{path}" if path else ""


def _meant(text: str, folder: str) -> Iterator[str]:
    """The real paths that a text in a file of a folder may mean; none for what only Ansible can evaluate."""
    rest, is_in_folder = _IN_FOLDER.subn("", text, 1)
    if "{{" in rest or "{%" in rest:
        return
    if is_in_folder or not os.path.isabs(os.path.expanduser(rest)):
        # A file of variables is in a folder beside the playbook, or in a folder there.
        bases = [folder, os.path.join(folder, ".."), os.path.join(folder, "..", ".."), *([] if is_in_folder else [""])]
        paths = [os.path.join(base, rest) for base in bases]
        yield from (os.path.realpath(path) for path in paths if os.path.exists(path))
    else:
        yield os.path.realpath(os.path.expanduser(rest))


def _is_within(text: str, places: Iterable[str]) -> bool:
    path = os.path.normpath(text)
    return any(path == place or path.startswith(place + os.sep) for place in places)
