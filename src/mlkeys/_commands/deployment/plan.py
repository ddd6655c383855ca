# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a deployment creates, changes, revokes, deletes and keeps, with reasons: one row for each, and the counts."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlkeys._commands.deployment.departed import Departed
from mlkeys._commands.playbook import Change, Run
from mlkeys._record.left import lines
from mlkeys._record.record import Made, Move

CREATED, CHANGED, REVOKED, DELETED, KEPT = "created", "changed", "revoked", "deleted", "kept"

_AWAITS = "what it needs does not exist yet"
#: A row names so many of the things that one task makes.
_NAMED = 3
#: What one of the things is, by the word that tasks of generated projects have for many, after their number.
ONE_OF = {
    "engines": "engine",
    "keys": "key",
    "files of ciphertexts": "file of ciphertexts",
    "policies": "policy",
    "auth methods": "auth method",
    "AppRoles": "AppRole",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to a thing, or to several that one task makes.

    Attributes:
        kind: one of the constants of this module.
        count: of things, each of them counted on every host.
    """

    kind: str
    what: str
    why: str = ""
    count: int = 1


def rows_of(run: Run, project: Path, program: Path) -> list[Row]:
    """The rows of a playbook: what it did, or would do in check mode.

    Args:
        project: the folder of the playbook, which its names of files are relative to.
        program: the folder of the program, which the user's names of them are relative to.
    """
    hosts: dict[tuple[str, str, str, int], list[str]] = {}
    awaited = [*run.awaited]

    def add_awaited(before: int) -> None:
        while awaited and awaited[0].changes_before <= before:
            one = awaited.pop(0)
            hosts.setdefault((CREATED, _name(one.task, one.count), _AWAITS, one.count), []).append(one.host)

    for number, change in enumerate(run.changes):
        add_awaited(number)
        for kind, why, count in _parts(change, project, program):
            what = _name(change.task, count if change.items else None)
            hosts.setdefault((kind, what, why, count), []).append(change.host)
    add_awaited(len(run.changes))
    return [
        Row(kind, what, ", ".join(word for word in (why, _where(on)) if word), count * len(on))
        for (kind, what, why, count), on in hosts.items()
    ]


def _parts(change: Change, project: Path, program: Path) -> Iterator[tuple[str, str, int]]:
    """Yield what a task did by kinds, each with a reason and a count."""
    by_kind: dict[str, list[str]] = {}
    for item in change.items:
        by_kind.setdefault(_kind(item["kind"]), []).append(_shown(item["name"], project, program))
    for kind, names in by_kind.items():
        attributes = f": {', '.join(change.names)}" if len(change.items) == 1 and change.names else ""
        yield kind, f"{_list(names)}{attributes}", len(names)
    if not by_kind:
        yield _kind(change.kind), ", ".join(change.names), 1


def _kind(kind: str) -> str:
    """What a task does without showing what differs is a change as well."""
    return kind if kind in (CREATED, DELETED) else CHANGED


def _name(task: str, count: int | None) -> str:
    """The name of a task without that of its role.

    The name of a task for many has the number of all of them: a row has the number of those that differ.

    Args:
        count: how many of its things differ. None if the task does not show that.
    """
    name = task.rpartition(" : ")[2]
    number, _, many = name.partition(" ")
    if count is None or not number.isdecimal() or many not in ONE_OF:
        return name
    return f"{count} {ONE_OF[many] if count == 1 else many}"


def _shown(name: str, project: Path, program: Path) -> str:
    """The name of a thing; of a file above the project, its path from the folder of the program."""
    if not name.startswith("../"):
        return name
    return os.path.relpath(os.path.normpath(project.absolute() / name), program)


def _list(names: Sequence[str]) -> str:
    if all(name.startswith("/") for name in names):
        # Each host has its own paths, and they are long.
        return ""
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_NAMED])} and {more} more"


def _where(hosts: Sequence[str]) -> str:
    if set(hosts) == {"localhost"}:
        return ""
    return f"on {hosts[0]}" if len(hosts) == 1 else f"on {len(hosts)} hosts"


def rows_of_moves(found: Sequence[Move]) -> list[Row]:
    """The rows of ciphertexts that follow the name of their key, or their own."""
    return [Row(CHANGED, name, f"moves from {move.former} to {move.key}") for move in found for name in move.names]


def rows_of_gone(one: Departed, kept: Made | None = None, why: str = "no longer in the program") -> list[Row]:
    """The rows of what left a program.

    Args:
        kept: what a deployment left of it. None for what it is going to leave.
        why: the reason.
    """
    deleted = gone_besides(one) if kept is None else gone_besides(one).minus(kept)
    rights = Made(policies=deleted.policies, roles=deleted.roles)
    return [
        *(Row(REVOKED, line, why) for line in lines(rights)),
        *(Row(DELETED, line, why) for line in lines(deleted.minus(rights))),
        *(Row(KEPT, line, "; ".join(word for word in (why, reason) if word)) for line, reason in _kept(one.left.kept)),
        *(Row(KEPT, line, "others use it") for line in lines(one.shared)),
        *(Row(KEPT, f"AppRole {role}", f"somebody else gave it the policy {policy}") for role, policy in one.users),
    ]


def gone_besides(one: Departed) -> Made:
    """Return what left a stack, without the ciphertexts that the playbook of the stack takes out of a file itself."""
    deleted = one.left.deleted
    if one.state.gone:
        return deleted
    files = {key: names for key, names in deleted.secrets.items() if key not in one.state.wanted.secrets}
    return replace(deleted, secrets=files)


def _kept(kept: Made) -> Iterator[tuple[str, str]]:
    """Yield what is kept, each with the reason."""
    for word, names in (("key", kept.keys), ("engine", kept.engines)):
        yield from ((f"{word} {name}", f"to delete it: --delete-keys {name}") for name in sorted(names))
    yield from ((line, "others may have roles there") for line in lines(Made(auth_methods=kept.auth_methods)))
    yield from ((line, "it holds no plaintext") for line in lines(Made(files=kept.files, hosts=kept.hosts)))


def counts(rows: Mapping[str, Sequence[Row]]) -> dict[str, int]:
    """The number of things of each kind."""
    found = dict.fromkeys((CREATED, CHANGED, REVOKED, DELETED, KEPT), 0)
    for row in (row for those in rows.values() for row in those):
        found[row.kind] += row.count
    return found
