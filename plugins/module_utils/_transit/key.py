# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read the actual state, plan, apply: one function for each kind of object. **Private** to the collection.

In a dry run everything happens but the writing, so a prediction is the plan that a real run would carry out.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    NotFound,
    ServerError,
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import (
    KEY_ATTRIBUTES,
    MOUNT_ATTRIBUTES,
    Attribute,
    name_problem,
    parse_duration,
    unknown_type_hint,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.plan import (
    KeyPlan,
    MountPlan,
    key_state,
    plan_key,
    plan_key_absence,
    plan_mount,
    plan_mount_absence,
)

# Keys


@dataclass(frozen=True)
class KeyRequest:
    """What is wanted of one key: the options of ``vault_transit_key``, found to make sense.

    Attributes:
        wanted: attributes of `KEY_ATTRIBUTES`, durations in seconds.
        rotate_older_than: seconds.
        min_available_version: older versions are destroyed.
    """

    name: str
    present: bool = True
    force: bool = False
    wanted: Mapping[str, Any] = field(default_factory=dict)
    rotate_older_than: int | None = None
    min_available_version: int | None = None


def reconcile_key(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Make one key be as the options of ``vault_transit_key`` say.

    Args:
        now: seconds since the epoch, for the age of versions.
    """
    request = key_request(options)
    transit = Transit(client, options["backend"], foretelling=run.dry_run and request.present)
    plan = plan_request(request, transit.read_key(request.name), run.now)
    after: Mapping[str, Any] | None = plan.after
    warnings = plan.warnings + foretold_warnings(transit)
    if plan.changed and not run.dry_run:
        after, more = apply_key(transit, request, plan)
        warnings += more
    return Outcome(plan.changed, plan.before, after, {"key": after}, warnings)


def foretold_warnings(transit: Transit) -> tuple[str, ...]:
    """What to say of a prediction for an engine that is not there."""
    warning = (
        f"The engine '{transit.backend}' is not enabled. "
        "Without check mode this fails unless an earlier task enables it."
    )
    return (warning,) if transit.is_foretold else ()


def key_request(options: Mapping[str, Any]) -> KeyRequest:
    """The request that the options of ``vault_transit_key`` make.

    Raises:
        InvalidOption: the name cannot be one, or a duration is none.
    """
    name = checked_name(options["name"])
    if options["state"] == "absent":
        return KeyRequest(name, present=False, force=bool(options["force"]))
    wanted = {**options, **durations(options, KEY_ATTRIBUTES)}
    return KeyRequest(
        name,
        wanted=wanted,
        rotate_older_than=duration_option("rotate_older_than", options.get("rotate_older_than")),
        min_available_version=options.get("min_available_version"),
    )


def plan_request(request: KeyRequest, actual: Mapping[str, Any] | None, now: float) -> KeyPlan:
    """The steps from the key as the server shows it (``None``: it does not exist) to what is wanted.

    Raises:
        ChangeImpossible: with every reason.
    """
    if not request.present:
        return plan_key_absence(request.name, actual, force=request.force)
    age = latest_age(actual, now) if actual else None
    return plan_key(
        request.name,
        request.wanted,
        actual,
        rotate_older_than=request.rotate_older_than,
        age=age,
        min_available_version=request.min_available_version,
    )


def apply_key(transit: Transit, request: KeyRequest, plan: KeyPlan) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """Carry out the plan: the key's state afterwards, and what the server warned of."""
    if plan.delete:
        _remove_key(transit, request.name, plan)
        return None, ()
    name = request.name
    steps = Steps()
    configure = plan.configure
    warnings: tuple[str, ...] = ()
    latest: Mapping[str, Any] = plan.before or {}
    if plan.create is not None:
        reply = steps.run("the key was created", lambda: _create_key(transit, name, plan.create or {}))
        warnings += reply.warnings
        latest = key_state(reply.data)
        # Somebody else may have created it since it was read, and then the server returned theirs.
        configure = plan_key(name, request.wanted, reply.data).configure
    if plan.rotate:
        latest = steps.run("the key was rotated", lambda: _rotate_key(transit, name, plan.before or {}))
    if configure:
        reply = steps.run("the key was configured", lambda: transit.configure_key(name, configure))
        warnings += reply.warnings
        latest = key_state(reply.data)
    oldest = plan.trim
    if oldest is not None:
        steps.run("older versions were trimmed", lambda: transit.trim_key(name, oldest))
        latest = {**latest, "min_available_version": oldest}
    return latest, warnings


def _create_key(transit: Transit, name: str, body: Mapping[str, Any]) -> Any:
    try:
        return transit.create_key(name, body)
    except ServerError as error:
        refused = error
    if refused.says("unknown key type"):
        hint = unknown_type_hint(str(body.get("type", "")))
        raise ServerError(
            f"The server does not know the key type '{body.get('type')}'.{hint}",
            refused.status,
            refused.reasons,
        )
    raise refused


def _rotate_key(transit: Transit, name: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
    reply = send_once(
        transit,
        name,
        lambda: transit.rotate_key(name).data,
        lambda actual: actual["latest_version"] > before["latest_version"],
        "rotated",
    )
    return key_state(reply)


def send_once(
    transit: Transit,
    name: str,
    send: Callable[[], Mapping[str, Any]],
    is_done: Callable[[Mapping[str, Any]], bool],
    done: str,
    *,
    repeatable: bool = True,
) -> Mapping[str, Any]:
    """What is sent answers, or the key as it is then. When the answer is lost, the key tells whether it was done; only
    what was not done is sent again.

    Args:
        is_done: tells it by the key as the server shows it.
        done: what then has happened to the key, in one word.
        repeatable: whether it may be sent again at all.
    """
    try:
        return send()
    except (ServerUnreachable, ServerError) as error:
        lost: TransitError = error
    if lost.undone or (isinstance(lost, ServerError) and lost.status < 500):
        raise lost
    # Only the active node knows: a standby may not have heard of it yet.
    certain = transit.find_active() and not lost.unfinished
    try:
        actual = transit.read_key(name)
    except TransitError:
        actual, certain = None, False
    if actual is not None and is_done(actual):
        return actual
    if certain and transit.may_retry and repeatable:
        return send_once(transit, name, send, is_done, done, repeatable=False)
    fate = f"was not {done}" if certain else f"may have been {done} or not: read it before trying again"
    raise ServerUnreachable(f"{lost.message} Key '{name}' {fate}.")


def _remove_key(transit: Transit, name: str, plan: KeyPlan) -> None:
    steps = Steps()
    # NotFound: somebody else deleted it in the same moment.
    with contextlib.suppress(NotFound):
        if plan.configure:
            steps.run("deletion_allowed was set", lambda: transit.configure_key(name, plan.configure))
        steps.run("the key was deleted", lambda: transit.delete_key(name))


def key_info(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """One key, or all of an engine, with the ages of their versions."""
    transit = Transit(client, options["backend"])
    names = [checked_name(options["name"])] if options.get("name") else transit.key_names()
    found = [(name, transit.read_key(name)) for name in names]
    infos = [
        {"backend": transit.backend, **_key_details(actual, run.now)} for dummy, actual in found if actual is not None
    ]
    return Outcome(changed=False, result={"transit_keys": infos})


def _key_details(actual: Mapping[str, Any], now: float) -> dict[str, Any]:
    created = creation_times(actual)
    versions = [
        {
            "version": version,
            "creation_time": datetime.fromtimestamp(created_at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "age_seconds": max(0, int(now - created_at)),
        }
        for version, created_at in sorted(created.items())
    ]
    details = {
        name: value
        for name, value in actual.items()
        if name.startswith("supports_") or name in ("imported_key", "soft_deleted", "kdf")
    }
    return {**key_state(actual), **details, "versions": versions}


def latest_age(actual: Mapping[str, Any], now: float) -> float | None:
    """Seconds since the latest version of a key was made, ``None`` when the server does not tell (type hmac)."""
    created = creation_times(actual).get(actual["latest_version"])
    return None if created is None else max(0.0, now - created)


def creation_times(actual: Mapping[str, Any]) -> dict[int, float]:
    """When each listed version was made: seconds since the epoch for symmetric keys, else a mapping with a time."""
    times = {}
    for version, value in (actual.get("keys") or {}).items():
        created = moment(value.get("creation_time") if isinstance(value, dict) else value)
        if created is not None:
            times[int(version)] = created
    return times


_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def moment(value: Any) -> float | None:
    """Seconds since the epoch of a time as the server writes it, ``None`` for what is none."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str):
        return None
    # Whole seconds suffice, and Python before 3.11 reads no nanoseconds. The zone is the server's own.
    parts = _TIMESTAMP.fullmatch(value)
    return datetime.strptime("".join(parts.groups()), "%Y-%m-%dT%H:%M:%S%z").timestamp() if parts else None


# Engines


def reconcile_backend(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Make the engine at ``path`` be as the options of ``vault_transit_backend`` say."""
    path = options["path"].strip("/")
    if not path:
        raise InvalidOption("path must not be empty.")
    transit = Transit(client, path)
    if options["state"] == "absent":
        return _remove_backend(transit, bool(options["force"]), run.dry_run)
    wanted = {**options, **durations(options, MOUNT_ATTRIBUTES)}
    plan = _plan_backend(transit, wanted, transit.mount())
    if plan.changed and not run.dry_run:
        _apply_backend(transit, wanted, plan)
    result = {"path": path, **(plan.after or {})}
    return Outcome(plan.changed, plan.before, plan.after, {"backend": result}, plan.warnings)


def _plan_backend(transit: Transit, wanted: Mapping[str, Any], actual: Mapping[str, Any] | None) -> MountPlan:
    if _is_within_another(transit, actual):
        _refuse_nested(transit)
    is_transit = actual is not None and actual.get("type") == "transit"
    # Asked only where something is wanted, so that a policy need not grant what is not used.
    ask_upsert = is_transit and wanted.get("disable_upsert") is not None
    ask_cache = is_transit and wanted.get("cache_size") is not None
    return plan_mount(
        transit.backend,
        wanted,
        actual,
        upsert_disabled=transit.upsert_disabled() if ask_upsert else None,
        cache_size=transit.cache_size() if ask_cache else None,
    )


def _apply_backend(transit: Transit, wanted: Mapping[str, Any], plan: MountPlan) -> None:
    steps = Steps()
    if plan.enable is not None:
        if _enable(transit, plan.enable):
            steps.done.append("the engine was enabled")
        else:
            # Somebody else enabled it in the same moment: what is left to do depends on what they made.
            plan = _plan_backend(transit, wanted, transit.mount(exists=True))
            if plan.enable is not None:
                _refuse_nested(transit)
    if plan.tune:
        steps.run("the engine was tuned", lambda: transit.tune(plan.tune))
    disabled = plan.disable_upsert
    if disabled is not None:
        steps.run("disable_upsert was set", lambda: transit.disable_upsert(bool(disabled)))
    size = plan.cache_size
    if size is not None:
        steps.run("the cache size was set", lambda: transit.set_cache_size(int(size or 0)))


def _enable(transit: Transit, body: Mapping[str, Any]) -> bool:
    """Whether it was enabled by this call. ``False``: something is mounted there by now."""
    try:
        transit.enable(body)
    except ServerError as error:
        refused = error
    else:
        return True
    if refused.says("path is already in use"):
        return False
    raise refused


def _disable(transit: Transit) -> None:
    try:
        transit.disable()
    except ServerError as error:
        refused = error
    else:
        return
    # Somebody else may have disabled it in the same moment.
    if transit.mount() is not None:
        raise refused


def _is_within_another(transit: Transit, actual: Mapping[str, Any] | None) -> bool:
    # The server may put the namespace before the path.
    return actual is not None and not str(actual.get("path", transit.backend)).endswith(transit.backend)


def _refuse_nested(transit: Transit) -> None:
    raise ChangeImpossible(
        f"The engine at '{transit.backend}' cannot be enabled",
        ["another engine is mounted above or below that path, and engines do not nest; choose another path"],
    )


def _remove_backend(transit: Transit, force: bool, dry_run: bool) -> Outcome:
    actual = transit.mount()
    if _is_within_another(transit, actual):
        actual = None
    is_transit = actual is not None and actual.get("type") == "transit"
    names = transit.key_names() if is_transit and not force else []
    plan = plan_mount_absence(transit.backend, actual, names, force=force)
    if plan.changed and not dry_run:
        _disable(transit)
    return Outcome(plan.changed, plan.before, plan.after, {"backend": None})


# Options


def checked_name(name: str) -> str:
    problem = name_problem(name)
    if problem:
        raise InvalidOption(f"{problem}.")
    return name


def durations(options: Mapping[str, Any], attributes: Sequence[Attribute]) -> dict[str, int]:
    """The options that are durations, in seconds. All that are none are named at once."""
    seconds: dict[str, int] = {}
    problems = []
    for attribute in attributes:
        if attribute.kind != "duration" or options.get(attribute.name) is None:
            continue
        try:
            seconds[attribute.name] = _seconds(options[attribute.name], attribute)
        except ValueError as error:
            problems.append(f"{attribute.name}: {error}")
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return seconds


def _seconds(value: Any, attribute: Attribute) -> int:
    # The server's own word for "its default" in leases.
    if value == "system" and attribute in MOUNT_ATTRIBUTES:
        return 0
    return parse_duration(value)


def duration_option(name: str, value: Any) -> int | None:
    """An option that is a duration, in seconds.

    Raises:
        InvalidOption: it is none.
    """
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        problem = str(error)
    raise InvalidOption(f"{name}: {problem}.")
