# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Engines: read the actual mount, plan, apply. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Protocol

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    ServerError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend_plan import (
    MountPlan,
    plan_mount,
    plan_mount_absence,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import wanted_attributes


@dataclass(frozen=True)
class BackendRequest:
    """What is wanted of one engine: the options of ``vault_transit_backend``, checked.

    Attributes:
        path: where the engine is mounted.
        force: disable the engine although it holds keys.
        wanted: attributes of `MOUNT_ATTRIBUTES`, durations in seconds; ``disable_upsert`` and ``cache_size``. Those
            that are missing may be anything.
    """

    path: str
    present: bool = True
    force: bool = False
    wanted: State = field(default_factory=dict)


def backend_request(options: Mapping[str, Any]) -> BackendRequest:
    """The request that the options of ``vault_transit_backend`` make.

    Raises:
        InvalidOption: the path is empty, or a duration is not one.
    """
    path = options["path"].strip("/")
    if not path:
        raise InvalidOption("path must not be empty.")
    if options["state"] == "absent":
        return BackendRequest(path, present=False, force=bool(options["force"]))
    settings = {name: options[name] for name in ("disable_upsert", "cache_size") if options.get(name) is not None}
    return BackendRequest(path, wanted={**wanted_attributes(options, MOUNT_ATTRIBUTES), **settings})


def reconcile_backend(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring the engine at ``path`` to the state that the options of ``vault_transit_backend`` describe."""
    return apply_backend(client, backend_request(options), run)


def apply_backend(client: Client, request: BackendRequest, run: RunContext) -> Outcome:
    """Bring the engine of a request to the state that is wanted."""
    transit = Transit(client, request.path)
    if not request.present:
        return _remove(transit, run, force=request.force)
    plan = _plan(transit, request.wanted, transit.mount())
    if plan.changed and not run.dry_run:
        _apply(transit, request.wanted, plan)
    result = {"path": request.path, **(plan.after or {})}
    return Outcome(plan.changed, plan.before, plan.after, {"backend": result}, plan.warnings)


def _plan(transit: Transit, wanted: State, actual: Mapping[str, Any] | None) -> MountPlan:
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


def _apply(transit: Transit, wanted: State, plan: MountPlan) -> None:
    steps = Steps()
    if plan.enable is not None:
        if _enable(transit, plan.enable):
            steps.done.append("the engine was enabled")
        else:
            # Somebody else enabled it in the same moment: what is left to do depends on what they made.
            plan = _plan(transit, wanted, transit.mount(exists=True))
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
    """Whether this call enabled it. ``False``: something is mounted there by now."""
    try:
        transit.enable(body)
    except ServerError as error:
        if error.says("path is already in use"):
            return False
        raise
    return True


class Mounted(Protocol):
    """An engine or an auth method."""

    def mount(self) -> Mapping[str, Any] | None: ...

    def disable(self) -> None: ...


def disable(mounted: Mounted) -> None:
    """Disable an engine or an auth method, unless somebody else did so in the same moment."""
    try:
        mounted.disable()
    except ServerError:
        if mounted.mount() is not None:
            raise


def _is_within_another(transit: Transit, actual: Mapping[str, Any] | None) -> bool:
    # The server may put the namespace before the path.
    return actual is not None and not str(actual.get("path", transit.backend)).endswith(transit.backend)


def _refuse_nested(transit: Transit) -> None:
    raise ChangeImpossible(
        f"The engine at '{transit.backend}' cannot be enabled",
        ["another engine is mounted above or below that path, and engines do not nest; choose another path"],
    )


def _remove(transit: Transit, run: RunContext, *, force: bool) -> Outcome:
    actual = transit.mount()
    if _is_within_another(transit, actual):
        actual = None
    is_transit = actual is not None and actual.get("type") == "transit"
    names = transit.key_names() if is_transit and not force else []
    plan = plan_mount_absence(transit.backend, actual, names, force=force)
    if plan.changed and not run.dry_run:
        disable(transit)
    return Outcome(plan.changed, plan.before, plan.after, {"backend": None})
