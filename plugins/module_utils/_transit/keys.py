# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Many keys in one run: all are read and planned before the first one is written. **Private** to the collection.

A key that exists costs one request, and so does one that is created: one list shows which keys are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    MountNotFound,
    NamespaceNotFound,
    NotReady,
    PermissionDenied,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import FLOORS
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.locks import exclusive_all
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import (
    KeyRequest,
    carried_out,
    import_result,
    key_request,
    plan_request,
    prediction_warnings,
    rotation_locks,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import KeyPlan

CONTINUE = "continue"
FAIL = "fail"

KEPT = "kept"
CREATED = "created"
CONFIGURED = "configured"
IMPORTED = "imported"
ROTATED = "rotated"
DELETED = "deleted"
# The wanted state cannot be reached, and nothing was written for it.
REFUSED = "refused"
# It was begun, and something went wrong.
FAILED = "failed"
# Not begun, because something was wrong with another one.
SKIPPED = "skipped"

# These are about the server, and no other key would fare better.
_END_THE_RUN = (NamespaceNotFound, NotReady, ServerUnreachable, Unauthenticated)

# A message shows so many errors with their reasons and so many changes by name; the result holds all.
_SHOWN = 10

_NOTHING_TO_DO = KeyPlan(before=None, after=None)


@dataclass(frozen=True)
class Entry:
    """One of the listed keys, its plan and the result.

    Attributes:
        impossible: whether the error is one that no further run can change.
        needed: why it is not created if it does not exist, ``None`` if it is.
    """

    request: KeyRequest
    plan: KeyPlan = _NOTHING_TO_DO
    action: str = SKIPPED
    changed: bool = False
    after: Mapping[str, Any] | None = None
    error: str = ""
    impossible: bool = False
    warnings: tuple[str, ...] = ()
    needed: str | None = None

    @property
    def path(self) -> str:
        return f"{self.request.backend}/keys/{self.request.name}"


@dataclass(frozen=True)
class KeysRequest:
    """What is wanted of many keys: the options of ``vault_transit_keys``, checked.

    Attributes:
        go_on: bring all other keys to their wanted state when some cannot reach theirs.
    """

    entries: tuple[Entry, ...]
    go_on: bool = False


@dataclass(frozen=True)
class _Engine:
    """One engine.

    Attributes:
        names: the keys it has, ``None`` when that is not known.
        error: why it has none.
    """

    transit: Transit
    names: frozenset[str] | None = None
    error: str = ""


def reconcile_keys(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring the keys to the state that the options of ``vault_transit_keys`` describe."""
    request = keys_request(options)
    engines = _engines(client, request.entries, run)
    with exclusive_all(rotation_locks([entry.request for entry in request.entries if not entry.error], run)):
        entries = [_planned(entry, engines, run) for entry in request.entries]
        if request.go_on or not any(entry.error for entry in entries):
            if run.dry_run:
                entries = [_predicted(entry) for entry in entries]
            else:
                entries = _applied(entries, engines, run, go_on=request.go_on)
    return Outcome(
        any(entry.changed for entry in entries),
        result={"results": [_result(entry) for entry in entries], **_refusal(entries)},
        warnings=tuple(f"{entry.path}: {warning}" for entry in entries for warning in entry.warnings)
        + tuple(warning for engine in engines.values() for warning in prediction_warnings(engine.transit)),
        diffs=[_diff(entry) for entry in entries if entry.changed and not entry.error],
        failure=failure_message(entries, run),
    )


def keys_request(options: Mapping[str, Any]) -> KeysRequest:
    """The request that the options of ``vault_transit_keys`` make; an entry that cannot be right has the reason."""
    listed: Sequence[Mapping[str, Any]] = options["keys"]
    places = [((given.get("backend") or options["backend"]).strip("/"), given["name"]) for given in listed]
    positions: dict[tuple[str, str], list[str]] = {}
    for number, place in enumerate(places, start=1):
        positions.setdefault(place, []).append(str(number))
    floors: Mapping[str, Any] = options.get("floors") or {}
    needed: Mapping[str, Any] = options.get("must_exist") or {}
    entries = tuple(
        replace(
            _checked(_floored(given, place, floors), place, positions[place]),
            needed=str(needed[name] or "") if (name := "/".join(place)) in needed else None,
        )
        for given, place in zip(listed, places)
    )
    return KeysRequest(entries, go_on=options["on_error"] == CONTINUE)


def _floored(given: Mapping[str, Any], place: tuple[str, str], floors: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a key, none of whose floors is below the known one.

    Raises:
        InvalidOption: the floor is not a version.
    """
    name = "/".join(place)
    if name not in floors:
        return given
    floor = str(floors[name])
    if not floor.isdigit():
        raise InvalidOption(f"floors: '{name}' must be the number of a version.")
    raised = dict(given)
    lowest = int(floor)
    for option in FLOORS:
        # A version that the server decrypts no more cannot encrypt either.
        lowest = raised[option] = max(lowest, given.get(option) or 0)
    return raised


def _checked(given: Mapping[str, Any], place: tuple[str, str], positions: Sequence[str]) -> Entry:
    backend, name = place
    if len(positions) > 1:
        error = f"it is listed {len(positions)} times (entries {', '.join(positions)})"
    else:
        try:
            return Entry(key_request(given, backend))
        except TransitError as problem:
            error = _reason(problem)
    return Entry(KeyRequest(backend, name), action=REFUSED, error=error)


def _engines(client: Client, entries: Sequence[Entry], run: RunContext) -> dict[str, _Engine]:
    """The engines of all entries by path, asked for their keys where that saves requests."""
    wanted = dict.fromkeys([entry.request.backend for entry in entries if not entry.error], 0)
    for entry in entries:
        if entry.request.present and not entry.error:
            wanted[entry.request.backend] += 1
    # For a single key, reading it costs the same and shows more.
    engines = {backend: Transit(client, backend, predicting=run.dry_run) for backend in wanted}
    return {
        backend: _listed(engines[backend]) if number > 1 else _Engine(engines[backend])
        for backend, number in wanted.items()
    }


def _listed(transit: Transit) -> _Engine:
    try:
        return _Engine(transit, frozenset(transit.key_names()))
    except PermissionDenied:
        # Reading the keys one by one shows which are missing, and may be allowed where a list is not.
        return _Engine(transit)
    except MountNotFound as problem:
        return _Engine(transit, error=_reason(problem))


def _planned(entry: Entry, engines: Mapping[str, _Engine], run: RunContext) -> Entry:
    if entry.error:
        return entry
    engine = engines[entry.request.backend]
    if engine.error:
        return replace(entry, action=REFUSED, error=engine.error)
    name = entry.request.name
    # A policy may cut a list short. Creating shows that: the server answers with the existing key. Not deleting shows
    # nothing, so a key whose absence is wanted is always read, and so is one that is not created.
    creates = entry.request.present and entry.needed is None
    missing = creates and engine.names is not None and name not in engine.names
    try:
        plan = _plan(entry, None if missing else engine.transit.read_key(name), run)
    except _END_THE_RUN:
        raise
    except TransitError as problem:
        impossible = isinstance(problem, ChangeImpossible)
        return replace(entry, action=REFUSED, error=_reason(problem), impossible=impossible)
    return replace(entry, plan=plan, warnings=plan.warnings)


def _plan(entry: Entry, actual: Mapping[str, Any] | None, run: RunContext) -> KeyPlan:
    if actual is None and entry.needed is not None and entry.request.present:
        reason = f"it does not exist, and is not created. {entry.needed}"
        raise ChangeImpossible(entry.path, [reason.rstrip(". ")])
    return plan_request(entry.request, actual, run)


def _predicted(entry: Entry) -> Entry:
    if entry.error:
        return entry
    return replace(entry, action=_action(entry.plan), changed=entry.plan.changed, after=entry.plan.after)


def _applied(entries: Sequence[Entry], engines: Mapping[str, _Engine], run: RunContext, *, go_on: bool) -> list[Entry]:
    applied = []
    ended = False
    for entry in entries:
        if entry.error or ended:
            applied.append(entry)
            continue
        try:
            applied.append(_apply(entry, engines[entry.request.backend].transit, run))
        except TransitError as problem:
            ended = not go_on or isinstance(problem, _END_THE_RUN)
            applied.append(replace(entry, action=FAILED, changed=problem.changed, error=_reason(problem)))
    return applied


def _apply(entry: Entry, transit: Transit, run: RunContext) -> Entry:
    if entry.plan.rotate:
        # Many keys were planned since this one was read, and somebody else may have rotated it.
        entry = replace(entry, plan=_plan(entry, transit.read_key(entry.request.name), run))
    plan, after, warnings = carried_out(transit, entry.request, entry.plan, run)
    return replace(_predicted(replace(entry, plan=plan)), after=after, warnings=entry.warnings + warnings)


def _action(plan: KeyPlan) -> str:
    """What a plan does, by the word for its main step."""
    if plan.create is not None:
        return CREATED
    if plan.imports or plan.completed:
        return IMPORTED
    if plan.delete:
        return DELETED
    if plan.rotate:
        return ROTATED
    return CONFIGURED if plan.changed else KEPT


def _reason(error: TransitError) -> str:
    return "; ".join(error.reasons) if isinstance(error, ChangeImpossible) else error.message.rstrip(".")


def _refusal(entries: Sequence[Entry]) -> dict[str, bool]:
    bad = [entry for entry in entries if entry.error]
    return {"refused": True} if bad and all(entry.impossible for entry in bad) else {}


def _result(entry: Entry) -> dict[str, Any]:
    result = {
        "name": entry.request.name,
        "backend": entry.request.backend,
        "changed": entry.changed,
        "action": entry.action,
        "key": entry.after,
        **import_result(entry.request, entry.plan),
    }
    return {**result, "error": entry.error} if entry.error else result


def _diff(entry: Entry) -> dict[str, Any]:
    return {
        "before": entry.plan.before or {},
        "after": entry.after or {},
        "before_header": entry.path,
        "after_header": entry.path,
    }


def failure_message(entries: Sequence[Entry], run: RunContext) -> str:
    """What went wrong, with every bad entry by name, and which keys changed. Empty when nothing went wrong."""
    bad = [entry for entry in entries if entry.error]
    if not bad:
        return ""
    errors = [f"{entry.path}: {entry.error}" for entry in bad[:_SHOWN]]
    if len(bad) > _SHOWN:
        errors.append(f"for reasons in the result also {', '.join(entry.path for entry in bad[_SHOWN:])}")
    sentences = [f"{len(bad)} of {_keys(len(entries))} failed: {'; '.join(errors)}."]
    changed = [entry.path for entry in entries if entry.changed]
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        what = "Would be changed" if run.dry_run else "Changed"
        sentences.append(f"{what}: {', '.join(changed[:_SHOWN])}{more}.")
    else:
        sentences.append("Nothing was changed.")
    skipped = sum(entry.action == SKIPPED for entry in entries)
    if skipped:
        sentences.append(f"Not begun: {_keys(skipped)}.")
    return " ".join(sentences)


def _keys(number: int) -> str:
    return "1 key" if number == 1 else f"{number} keys"
