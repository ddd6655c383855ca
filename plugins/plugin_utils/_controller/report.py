# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a playbook's run, for the program that started it. **Private** to the collection."""

from __future__ import annotations

import json
import os
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES

VARIABLE = "MLKEYS_REPORT_FD"

# The counts of a host, by the names that Ansible's recap shows.
_COUNTS = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "dark",
    "failed": "failures",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}

# How conditions begin with which a generated project skips, in a check, what needs something that does not exist yet.
_AWAITS = "not ansible_check_mode or "
# What modules return of the programs that they run.
_OUTPUTS = ("module_stderr", "stderr", "module_stdout", "stdout")
# Longer values are left to the output of --diff.
_LONGEST_VALUE = 60


class Report:
    """Collects what a run did. Values of results stay out: they may hold secrets.

    It has short values in the diffs of this collection's modules, which hold none, and the messages of failures:
    Ansible shows both.
    """

    def __init__(self) -> None:
        self._refused = 0
        self._refused_items: list[bool] = []
        self._items: dict[str, list[dict[str, str]]] = {}
        self._changes: list[dict[str, Any]] = []
        self._awaited: list[dict[str, Any]] = []
        descriptor = os.environ.get(VARIABLE, "")
        self._pipe = os.fdopen(int(descriptor), "w", encoding="utf-8") if descriptor.isdigit() else None

    def start(self, task: str) -> None:
        """Report that a task starts, for a program that shows the progress."""
        self._items.clear()
        self._send({"started": task})

    def add_problem(self, message: str) -> None:
        """Report why the run fails, as soon as that is known: it may end without its last line."""
        self._send({"problem": message})

    def add_item(
        self, host: str, label: str, result: Mapping[str, Any], options: Collection[str] | None = None
    ) -> None:
        """Keep what a loop changed for one of its items, until its task ends.

        Args:
            options: as in `add_change`.
        """
        if result.get("changed"):
            item = {"name": label, "kind": _change(result, options)["kind"], "values": values_in(result, options)}
            self._items.setdefault(host, []).append(item)

    def add_change(
        self, task: str, host: str, result: Mapping[str, Any], options: Collection[str] | None = None
    ) -> None:
        """Keep what a task changed on a host, or would change in check mode.

        Args:
            options: those that a task of this collection sets. None for another task, whose values stay out.
        """
        items = self._items.pop(host, None) or keys_in(result, options)
        if result.get("changed"):
            change = {**_change(result, options), "values": values_in(result, options), "items": items}
            self._changes.append({"task": task, "host": host, **change, "hidden": "censored" in result})

    def add_awaited(
        self,
        task: str,
        host: str,
        names: Sequence[str],
        result: Mapping[str, Any],
        values: Sequence[Sequence[Any]] = (),
    ) -> None:
        """Keep what a check did not compare, because what it needs does not exist yet.

        Args:
            names: of what the task makes.
            values: of attributes of the only thing that it makes, as `values_in` returns them.
        """
        missed = sum(
            isinstance(each, Mapping) and str(each.get("false_condition", "")).startswith(_AWAITS)
            for each in result.get("results") or [result]
        )
        if missed and names:
            count, before = max(missed, len(names)), len(self._changes)
            one = {"task": task, "host": host, "count": count, "changes_before": before}
            self._awaited.append({**one, "names": [name for name in names if name], "values": [*values]})

    def add_failure(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        """Count a failed task, as refused when no further run can change the answer."""
        # A loop fails once as a whole, after its items.
        items, self._refused_items = self._refused_items, []
        self._refused += all(items) if items else bool(result.get("refused"))
        if not items:
            self._fail(task, host, result)

    def add_item_failure(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        self._refused_items.append(bool(result.get("refused")))
        self._fail(task, host, result)

    def add_unreachable(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        """Report a host that does not answer. The other hosts go on."""
        self._send({"failed": _failure(task, host, result)})

    def _fail(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        self._send({"failed": _failure(task, host, result)})
        self.add_problem(_message(result))

    def document(self, stats: Any) -> dict[str, Any]:
        """The report: counts by host, refusals, and what tasks set for the whole run."""
        hosts = {
            host: {name: int(getattr(stats, field).get(host, 0)) for name, field in _COUNTS.items()}
            for host in sorted(stats.processed)
        }
        return {
            "version": 1,
            "hosts": hosts,
            "refused": self._refused,
            "stats": stats.custom.get("_run", {}),
            "changes": self._changes,
            "awaited": self._awaited,
        }

    def send(self, stats: Any) -> None:
        """Write the report to the descriptor that the starting program names, and close it."""
        self._send(self.document(stats))
        if self._pipe is not None:
            self._pipe.close()

    def _send(self, line: Mapping[str, Any]) -> None:
        if self._pipe is not None:
            self._pipe.write(json.dumps(line) + "\n")
            self._pipe.flush()


def _message(result: Mapping[str, Any]) -> str:
    """Empty for a task whose results are hidden."""
    return str(result.get("msg") or "").strip()


def _failure(task: str, host: str, result: Mapping[str, Any]) -> dict[str, str]:
    """What Ansible shows of a failure."""
    output = next((text for name in _OUTPUTS if isinstance(text := result.get(name), str) and text.strip()), "")
    return {"task": task, "host": host, "message": _message(result), "output": output.strip()}


def keys_in(result: Mapping[str, Any], options: Collection[str] | None = None) -> list[dict[str, Any]]:
    """What a task that makes many keys did to each of them. Empty for the task of a single one, which has its name."""
    kinds = {"created": "created", "deleted": "deleted"}
    found = result.get("results") or []
    diffs = {diff.get("after_header"): diff for diff in _diffs(result)}
    return [
        {
            "name": f"{key['backend']}/{key['name']}",
            "kind": kinds.get(str(key["action"]), "changed"),
            "values": values_in({"diff": diffs.get(f"{key['backend']}/keys/{key['name']}")}, options),
        }
        for key in found
        if isinstance(key, Mapping)
        and {"backend", "name", "action"} <= {*key}
        and key.get("changed")
        and len(found) > 1
    ]


def values_in(result: Mapping[str, Any], options: Collection[str] | None) -> list[list[Any]]:
    """Short values of attributes in the diff of a result: name, value before, value after.

    Args:
        options: what the task sets. Of a new thing, only these are values: the others are defaults of the server. None
            for no values at all.
    """
    found: list[list[Any]] = []
    if options is None:
        return found
    for diff in _diffs(result):
        before, after = diff.get("before"), diff.get("after")
        if not isinstance(before, Mapping) or not isinstance(after, Mapping) or not _exists(after):
            continue
        there = _exists(before)
        for name, value in after.items():
            pair = [str(name), before.get(name) if there else None, value]
            if pair[1] != value and (there or name in options) and all(map(_is_short, pair[1:])):
                found.append(pair)
    return found


def given_in(key: Mapping[str, Any]) -> list[list[Any]]:
    """The attributes that a task gives to a key, as they are written and in the form of `values_in`."""
    given = [[one.name, None, key[one.name]] for one in KEY_ATTRIBUTES if one.name in key]
    return [pair for pair in given if isinstance(pair[2], (bool, int, str)) and "{{" not in str(pair[2])]


def _is_short(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    plain = all(part is None or isinstance(part, (str, int, float)) for part in parts)
    return plain and len(str(value)) <= _LONGEST_VALUE and "\n" not in str(value)


def _change(result: Mapping[str, Any], options: Collection[str] | None) -> dict[str, Any]:
    """What a task did. The modules of this collection alone have a diff whether or not Ansible shows it."""
    return {"kind": "done", "names": []} if options is None else change_in(result)


def change_in(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result with a diff says of the kind of a change, with the names of what differs.

    Returns:
        ``kind`` is ``created``, ``deleted`` or ``changed``, or ``done`` if the result has no diff; ``names`` are those
        of attributes or entries that differ; of what is new or deleted, those of entries alone.
    """
    # A loop has the diffs in its results, and a task that makes many keys beside them.
    results = [result, *(result.get("results") or ())]
    diffs = [one for each in results if isinstance(each, Mapping) for one in _diffs(each)]
    kinds, names = set(), []
    for diff in diffs:
        before, after = diff.get("before"), diff.get("after")
        if before == after:
            continue
        was, is_now = _exists(before), _exists(after)
        kinds.add("changed" if was and is_now else "deleted" if was else "created")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            names += [str(name) for name in {**before, **after} if before.get(name) != after.get(name)]
    if not kinds:
        return {"kind": "done", "names": []}
    kind = kinds.pop() if len(kinds) == 1 else "changed"
    named = list(dict.fromkeys(names))
    for action, done in (("added", "created"), ("removed", "deleted")):
        if named and set(named) <= _entries(result, action):
            return {"kind": done, "names": named}
    return {"kind": kind, "names": named if kind == "changed" else []}


def _entries(result: Mapping[str, Any], action: str) -> set[str]:
    """The entries that a task put into an encrypted vars file, or took out: the file itself was there, and stays."""
    entries = result.get("entries") or []
    return {str(one["name"]) for one in entries if isinstance(one, Mapping) and one.get("action") == action}


def _exists(state: Any) -> bool:
    """Whether one side of a diff describes something: modules for files say that nothing is there."""
    return bool(state) and not (isinstance(state, Mapping) and state.get("state") == "absent")


def _diffs(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = result.get("diff") or []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]
