# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a deployment creates, changes, revokes, deletes and keeps, with reasons: one row for each, and the counts."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlkeys._commands.deployment.departed import Departed
from mlkeys._commands.playbook import Change, Run
from mlkeys._record.left import lines
from mlkeys._record.record import Made, Move
from mlkeys._shared.durations import SECONDS

CREATED, CHANGED, REVOKED, DELETED, KEPT = "created", "changed", "revoked", "deleted", "kept"

_AWAITS = "needs what is created before it"
_HIDDEN = "hidden by no_log"
#: A row names so many of the things that one task makes.
_NAMED = 3
#: How the names of attributes end whose numbers are seconds.
_DURATIONS = ("_ttl", "_period")
#: A row has the name of what it is about.
_NAMES = ("name", "path", "backend", "state")
#: A file stays when all that is deleted are ciphertexts in it.
_OF_CIPHERTEXTS = "files of ciphertexts"
#: What one of the things is, by the word that tasks of generated projects have for many, after their number.
ONE_OF = {
    "engines": "engine",
    "keys": "key",
    _OF_CIPHERTEXTS: "file of ciphertexts",
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
            why = (_list(one.names) if len(one.names) > 1 else _values_text(one.values, CREATED)) or _AWAITS
            hosts.setdefault((CREATED, _name(one.task, one.count), why, one.count), []).append(one.host)

    made: set[tuple[str, str]] = set()
    for number, change in enumerate(run.changes):
        add_awaited(number)
        left = _besides(change, made)
        for kind, what, why, count in _parts(left, project, program) if left is not None else ():
            hosts.setdefault((kind, what, why, count), []).append(change.host)
    add_awaited(len(run.changes))
    return [
        Row(kind, what, ", ".join(word for word in (why, _where(on)) if word), count * len(on))
        for (kind, what, why, count), on in hosts.items()
    ]


def _besides(change: Change, made: set[tuple[str, str]]) -> Change | None:
    """A change without the paths on a host that were made before: a check does not find what the first play makes.

    Args:
        made: by host. It gets those of this change.
    """
    paths = {item["name"] for item in change.items if item["kind"] == CREATED and str(item["name"]).startswith("/")}
    again = {path for path in paths if (change.host, path) in made}
    made |= {(change.host, path) for path in paths}
    if not again:
        return change
    items = [item for item in change.items if item["name"] not in again]
    return replace(change, items=items) if items else None


def _parts(change: Change, project: Path, program: Path) -> Iterator[tuple[str, str, str, int]]:
    """Yield what a task did: kind, name, reason and count, with a row for each of many things whose values differ."""
    if " : " in change.task:
        # A step of a role makes no thing of the program. It may replace what an earlier step has removed.
        change = replace(change, kind=CHANGED, items=())
    if not change.items:
        kind = _kind(change.kind)
        why = _HIDDEN if change.hidden else _attributes(change.values, change.names, kind)
        yield kind, _name(change.task, None), why, 1
        return
    by_kind: dict[str, list[tuple[str, str]]] = {}
    names = change.names if len(change.items) == 1 else ()
    for item in change.items:
        kind, name = _kind(item["kind"]), _shown(item["name"], project, program)
        by_kind.setdefault(kind, []).append((name, _attributes(item.get("values", ()), names, kind)))
    for kind, found in by_kind.items():
        # The values of many new things are those of the program.
        single = [(name, why) for name, why in found if why and (len(found) == 1 or kind == CHANGED)]
        yield from ((kind, _name_of_one(change.task, name, kind), why, 1) for name, why in single)
        if others := [name for name, why in found if (name, why) not in single]:
            yield kind, _name(change.task, len(others), kind), _list(others), len(others)


def _kind(kind: str) -> str:
    """What a task does without showing what differs is a change as well."""
    return kind if kind in (CREATED, DELETED) else CHANGED


def _name(task: str, count: int | None, kind: str = CREATED) -> str:
    """The name of a task without that of its role.

    The name of a task for many has the number of all of them: a row has the number of those that differ.

    Args:
        count: how many of its things differ. None if the task does not show that.
    """
    name = task.rpartition(" : ")[2]
    many = _many(name)
    if count is None or not many:
        return name
    if kind == DELETED and many == _OF_CIPHERTEXTS:
        return f"Ciphertexts in {count} {'file' if count == 1 else 'files'}"
    return f"{count} {ONE_OF[many] if count == 1 else many}"


def _name_of_one(task: str, name: str, kind: str) -> str:
    """The name of one of the things that a task makes."""
    word = task.rpartition(" : ")[2]
    if kind == DELETED and _many(word) == _OF_CIPHERTEXTS:
        return f"Ciphertexts in {name}"
    one = ONE_OF[_many(word)] if _many(word) else word
    return f"{one[0].upper()}{one[1:]} {name}"


def _many(name: str) -> str:
    """The word for the things of a task for many. Empty for another task."""
    number, _, many = name.partition(" ")
    return many if number.isdecimal() and many in ONE_OF else ""


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


def _attributes(values: Sequence[Sequence[Any]], names: Sequence[str], kind: str) -> str:
    """What differs: values where they are known, else names. Of new or deleted entries of a file, the names."""
    if kind in (CREATED, DELETED) and names:
        return ", ".join(names)
    known = {name for name, _, _ in values}
    others = [name for name in names if name not in known]
    return ", ".join(word for word in (_values_text(values, kind), *others) if word)


def _values_text(values: Sequence[Sequence[object]], kind: str) -> str:
    """Return the values of a row.

    Args:
        values: name, value before and value after of attributes.
        kind: of the row. Of what is created, attributes that are off or empty are not shown.
    """
    if kind == CREATED:
        return ", ".join(_set(name, after) for name, _, after in values if after and name not in _NAMES)
    return ", ".join(f"{name} {_text(name, before)} → {_text(name, after)}" for name, before, after in values)


def _set(name: object, value: object) -> str:
    return f"{name}" if value is True else f"{name} {_text(name, value)}"


def _text(name: object, value: object) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, int) and str(name).endswith(_DURATIONS):
        return _duration(value)
    return f'"{value}"' if isinstance(value, str) and " " in value and name == "description" else str(value)


def _duration(seconds: int) -> str:
    """The duration as a program writes it: 90d, but 36h, which does not fit into days."""
    unit = next((unit for unit in ("d", "h", "m") if seconds and not seconds % SECONDS[unit]), "s")
    return f"{seconds // SECONDS[unit]}{unit}" if seconds else "0"


def _where(hosts: Sequence[str]) -> str:
    # One may have several of them.
    found = set(hosts)
    if found == {"localhost"}:
        return ""
    return f"on {hosts[0]}" if len(found) == 1 else f"on {len(found)} hosts"


def rows_of_moves(found: Sequence[Move]) -> list[Row]:
    """The rows of ciphertexts that follow the name of their key, or their own."""
    return [Row(CHANGED, name, _moved(move, former)) for move in found for name, former in move.names.items()]


def _moved(move: Move, former: str) -> str:
    return f"was {former}" if move.former == move.key else f"moves from {move.former} to {move.key}"


def changes_in(rows: Iterable[Row]) -> dict[str, object]:
    """The counts of a stack for JSON: by kind, and of all that is not kept."""
    by_kind = counts({"": [*rows]})
    return {"changed": sum(by_kind.values()) - by_kind[KEPT], "counts": by_kind}


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
