# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether Ansible loads a vars file for the hosts that read another file, as far as their paths show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_OF_GROUPS, _OF_HOSTS = "group_vars", "host_vars"
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Loading:
    """What is known about the references in a file.

    Attributes:
        reason: why they would have no value; empty if they have one, or if that is not known.
        about: for which plays they have one; empty for all.
        named_by: for an .env file, a file of Docker Compose that gives its variables to a service.
    """

    reason: str = ""
    about: str = ""
    named_by: str = ""


def loading(path: str, to: str, named_by: str = "") -> Loading:
    """
    Args:
        path: of the file with the references. Both paths are absolute.
        to: the vars file with the variables.
    """
    return Loading(_reason(path, to), _about(path, to), named_by)


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of variables: the folder that `group_vars` or `host_vars` is in, which of both, and the group or host."""

    above: Sequence[str]
    kind: str
    owner: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.owner}"


def _place(path: str) -> _Place | None:
    parts = path.split("/")
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] in (_OF_GROUPS, _OF_HOSTS):
            # A file directly there is named after its group.
            owner = parts[at + 1] if at + 2 < len(parts) else parts[at + 1].partition(".")[0]
            return _Place(parts[:at], parts[at], owner)
    return None


def _reason(path: str, to: str) -> str:
    place, target = _place(path), _place(to)
    if place is None or target is None:
        return ""
    # Those beside a playbook count for all inventories.
    is_beside = tuple(place.above[: len(target.above)]) == tuple(target.above)
    is_for_all = target.kind == _OF_GROUPS and target.owner == _ALL
    if is_beside and (is_for_all or (place.kind, place.owner) == (target.kind, target.owner)):
        return ""
    whose = f"the hosts of {target}" if is_beside else "another inventory"
    return f"Ansible loads the file of --to for {whose} only; choose one that it loads for {place}, too"


def is_apart(path: str, to: str) -> bool:
    """Whether a file belongs to another inventory, so that no host gets variables of both."""
    place, target = _place(path), _place(to)
    if place is None or target is None:
        return False
    shorter = min(len(place.above), len(target.above))
    return place.above[:shorter] != target.above[:shorter]


def _about(path: str, to: str) -> str:
    target = _place(to)
    if target is None:
        return "Ansible loads the file of --to only where vars_files: or include_vars: names it"
    is_for_all = target.kind == _OF_GROUPS and target.owner == _ALL
    return "" if is_for_all or _place(path) else f"Ansible loads the file of --to for the hosts of {target} only"
