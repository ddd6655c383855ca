# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The mount of the auth method AppRole: read, plan, apply. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State, refuse
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import disable

# Roles that a message names; there may be many more.
_SHOWN = 5


@dataclass(frozen=True)
class AuthMethodRequest:
    """What is wanted of one auth method: the options of ``vault_transit_approle`` without a name, checked.

    Attributes:
        path: where the method is mounted.
        description: ``None`` may be anything.
    """

    path: str
    present: bool = True
    description: str | None = None


def auth_method_request(options: Mapping[str, Any]) -> AuthMethodRequest:
    """The request that the options of ``vault_transit_approle`` without a name make."""
    if options["state"] == "absent":
        return AuthMethodRequest(options["path"], present=False)
    return AuthMethodRequest(options["path"], description=options["description"])


@dataclass(frozen=True)
class AuthPlan:
    """How an auth method gets from ``before`` to ``after`` (``None``: nothing is mounted there)."""

    before: State | None
    after: State | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def plan_auth_method(path: str, description: str | None, actual: Mapping[str, Any] | None) -> AuthPlan:
    """The steps that mount the method and describe it as asked; ``None`` may be anything.

    Raises:
        ChangeImpossible: another method is mounted there.
    """
    before = _state(path, actual)
    after = {"path": path, "description": (before or {}).get("description", "") if description is None else description}
    return AuthPlan(before, after)


def plan_auth_absence(path: str, actual: Mapping[str, Any] | None, roles: Sequence[str]) -> AuthPlan:
    """The steps that unmount the method.

    Raises:
        ChangeImpossible: another method is mounted there, or it holds roles.
    """
    before = _state(path, actual)
    if before is not None and roles:
        named = ", ".join(roles[:_SHOWN]) + (f" and {len(roles) - _SHOWN} more" if len(roles) > _SHOWN else "")
        refuse(
            f"The auth method at '{path}' cannot be disabled",
            [f"it holds roles ({named}) and disabling it deletes them; delete them first"],
        )
    return AuthPlan(before, None)


def _state(path: str, actual: Mapping[str, Any] | None) -> State | None:
    if actual is None:
        return None
    if actual.get("type") != "approle":
        refuse(
            f"The auth method at '{path}' cannot be AppRole",
            [f"an auth method of type '{actual.get('type')}' is mounted there; choose another path"],
        )
    return {"path": path, "description": str(actual.get("description") or "")}


def reconcile_auth_method(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring the auth method to the state that the options of ``vault_transit_approle`` without a name describe."""
    request = auth_method_request(options)
    method = AppRoles(client, request.path)
    actual = method.mount()
    if not request.present:
        is_approle = actual is not None and actual.get("type") == "approle"
        plan = plan_auth_absence(method.path, actual, method.names() if is_approle else [])
    else:
        plan = plan_auth_method(method.path, request.description, actual)
    if plan.changed and not run.dry_run:
        _apply(method, plan)
    return Outcome(plan.changed, plan.before, plan.after, {"approle": None})


def _apply(method: AppRoles, plan: AuthPlan) -> None:
    if plan.after is None:
        disable(method)
    # Somebody else may have mounted it in the same moment, with another description.
    elif plan.before is not None or not method.enable(plan.after["description"]):
        method.describe(plan.after["description"])
