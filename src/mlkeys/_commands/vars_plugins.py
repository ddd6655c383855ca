# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The configurations of Ansible beside encrypted vars files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._lint.enabled import setting_in
from mlkeys._shared.vars_plugins import PLUGIN, is_enabled, names_in
from mlkeys._system import replacing
from mlkeys._system.collection import passes_over
from mlkeys._system.worktree import Skipped

CONFIGURATION = "ansible.cfg"

_VARIABLE = "ANSIBLE_VARS_ENABLED"

# Ansible reads variables of hosts and groups in these.
_FOLDERS = {"group_vars", "host_vars"}


@dataclass(slots=True)
class Configurations:
    """The configurations that are nearest to files, by their paths.

    Attributes:
        texts: their texts.
        files: the files for which each of them is the nearest.
        without: the files for which there is none, and no other one that Ansible reads here enables the vars plugin.
        overruled: why one that is there does not count for those, empty if there is none.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    unread: list[Skipped] = field(default_factory=list)
    overruled: str = ""


@dataclass(frozen=True, slots=True)
class Overruled:
    """Why Ansible does not use the setting of a configuration that is there, and what to do about it."""

    why: str
    remedy: str


def overruled(path: Path) -> Overruled | None:
    """What keeps Ansible from using the setting in a configuration; None if nothing does."""
    names = os.environ.get(_VARIABLE, "")
    if names and not is_enabled(names_in(names)):
        return Overruled(
            f"the environment variable {_VARIABLE} overrides {path} and does not list {PLUGIN}",
            f"Unset {_VARIABLE}, or add {PLUGIN} to its end.",
        )
    own = os.environ.get("ANSIBLE_CONFIG", "")
    is_named = bool(own) and path.resolve() in (Path(own).resolve(), (Path(own) / CONFIGURATION).resolve())
    if not is_named and path.is_file() and passes_over(path.parent):
        return Overruled(
            f"Ansible ignores {path}, because everybody may write its folder",
            f"chmod o-w {path.parent}, or export ANSIBLE_CONFIG={path}",
        )
    return None


def configurations(files: Iterable[str]) -> Configurations:
    """The `ansible.cfg` in the folder of each file, or in the nearest folder above within its work tree."""
    found = Configurations()
    for file in map(Path, files):
        if not _FOLDERS & set(file.parts[:-1]):
            continue
        path = next((place for place in _places(file) if place.is_file()), None)
        if path is not None and (off := overruled(path)):
            found.overruled = off.why
            found.without.append(str(file))
        elif path is not None:
            found.files.setdefault(str(path), []).append(str(file))
        else:
            found.without.append(str(file))
    if found.without and is_enabled(_enabled_on_this_machine()):
        found.without.clear()
    for path in map(Path, found.files):
        try:
            text = replacing.read(path) or ""
            setting_in(text)
            found.texts[str(path)] = text
        except MlkeysError:
            found.unread.append(Skipped(str(path), "it cannot be read"))
        except ValueError as problem:
            found.unread.append(Skipped(str(path), str(problem)))
    return found


def _enabled_on_this_machine() -> list[str]:
    """The plugins that Ansible's setting lists in the environment, or in a configuration outside of any project."""
    if names := os.environ.get(_VARIABLE, ""):
        return names_in(names)
    own = os.environ.get("ANSIBLE_CONFIG", "")
    for name in (own, "~/.ansible.cfg", f"/etc/ansible/{CONFIGURATION}"):
        # Some accounts have no home folder.
        with suppress(MlkeysError, RuntimeError, ValueError):
            if name and (text := replacing.read(Path(name).expanduser())) is not None:
                return list(setting_in(text).enabled)
    return []


def _places(file: Path) -> Iterator[Path]:
    for folder in file.parents:
        yield folder / CONFIGURATION
        if (folder / ".git").exists():
            return
