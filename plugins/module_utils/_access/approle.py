# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Roles by which machines log in: read the actual role, plan, apply. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._access.approle_plan import (
    ApprolePlan,
    approle_state,
    plan_approle,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._access.auth_method import reconcile_auth_method
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, MountNotFound
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.approle import APPROLE_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import is_name
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import wanted_attributes


@dataclass(frozen=True)
class AppRoleRequest:
    """What is wanted of one role: the options of ``vault_transit_approle``, checked.

    Attributes:
        path: where the auth method is mounted.
        enable: mount the auth method where it is missing, with the ``description``.
        wanted: attributes of `APPROLE_ATTRIBUTES`, durations in seconds. Those that are missing may be anything.
    """

    path: str
    name: str
    present: bool = True
    enable: bool = False
    description: str = ""
    wanted: State = field(default_factory=dict)


def approle_request(options: Mapping[str, Any]) -> AppRoleRequest:
    """The request that the options of ``vault_transit_approle`` make.

    Raises:
        InvalidOption: a role cannot have this name, or a duration is not one.
    """
    name = checked_role(options["name"])
    if options["state"] == "absent":
        return AppRoleRequest(options["path"], name, present=False)
    wanted = wanted_attributes(options, APPROLE_ATTRIBUTES)
    described = options["description"] or ""
    return AppRoleRequest(options["path"], name, enable=bool(options["enable"]), description=described, wanted=wanted)


def checked_role(name: str) -> str:
    """The name of a role.

    Raises:
        InvalidOption: a role cannot have this name.
    """
    if is_name(name):
        return name
    raise InvalidOption(f"'{name}' is not a role's name: letters, digits, '_', '-' and '.'.")


def reconcile_approle(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring one role, or without a name its auth method, to the state that ``vault_transit_approle`` describes."""
    if options["name"] is None:
        return reconcile_auth_method(client, options, run)
    request = approle_request(options)
    roles = AppRoles(client, request.path)
    try:
        actual, mounted = roles.read(request.name), True
    except MountNotFound:
        if request.present and not request.enable:
            raise
        actual, mounted = None, False
    if request.present:
        plan = plan_approle(request.name, request.wanted, actual, enable=not mounted)
    else:
        before = None if actual is None else approle_state(actual)
        plan = ApprolePlan(before, None, delete=actual is not None)
    if plan.changed and not run.dry_run:
        _apply(roles, request, plan)
    result = None
    if plan.after is not None:
        # A role that is only predicted has none yet.
        role_id = None if run.dry_run and actual is None else roles.role_id(request.name)
        result = {"name": request.name, "path": roles.path, "role_id": role_id, **plan.after}
    return Outcome(plan.changed, plan.before, plan.after, {"approle": result})


def _apply(roles: AppRoles, request: AppRoleRequest, plan: ApprolePlan) -> None:
    if plan.delete:
        roles.delete(request.name)
        return
    steps = Steps()
    # Somebody else may have mounted it in the same moment: the result is the same.
    if plan.enable and roles.enable(request.description):
        steps.done.append("the auth method was enabled")
    write = plan.write
    if write is not None:
        steps.run("the role was written", lambda: roles.write(request.name, write))
