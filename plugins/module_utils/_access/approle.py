# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Roles of machines, and the secret IDs by which machines log in. **Private** to the collection."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._access.approle_plan import (
    ApprolePlan,
    approle_state,
    plan_approle,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    NotFound,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import APPROLE_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import (
    duration_option,
    durations,
    moment,
)

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def reconcile_approle(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Make one role be as the options of ``vault_transit_approle`` say."""
    name = _checked_role(options["name"])
    roles = AppRoles(client, options["path"])
    try:
        actual, mounted = roles.read(name), True
    except MountNotFound:
        actual, mounted = None, False
        if options["state"] == "present" and not options["enable"]:
            raise
    if options["state"] == "absent":
        before = None if actual is None else approle_state(actual)
        plan = ApprolePlan(before, None, delete=actual is not None)
    else:
        wanted = {**options, **durations(options, APPROLE_ATTRIBUTES)}
        plan = plan_approle(name, wanted, actual, enable=not mounted)
    if plan.changed and not run.dry_run:
        _apply(roles, name, plan)
    result = None
    if plan.after is not None:
        # A role that is only foretold has none yet.
        role_id = None if run.dry_run and actual is None else roles.role_id(name)
        result = {"name": name, "path": roles.path, "role_id": role_id, **plan.after}
    return Outcome(plan.changed, plan.before, plan.after, {"approle": result})


def _apply(roles: AppRoles, name: str, plan: ApprolePlan) -> None:
    if plan.delete:
        roles.delete(name)
        return
    steps = Steps()
    # Somebody else may have mounted it in the same moment, which is as good.
    if plan.enable and roles.enable():
        steps.done.append("the auth method was enabled")
    write = plan.write
    if write is not None:
        steps.run("the role was written", lambda: roles.write(name, write))


def reconcile_secret_id(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """See to it that a machine has a secret ID that goes on for a while, as ``vault_transit_secret_id`` says.

    Args:
        now: seconds since the epoch.
    """
    role = _checked_role(options["role"])
    roles = AppRoles(client, options["path"])
    accessor = options.get("accessor") or ""
    wrap_ttl = duration_option("wrap_ttl", options.get("wrap_ttl")) or 0
    renew_before = duration_option("renew_before", options.get("renew_before")) or 0
    if options["state"] == "absent":
        if not accessor:
            raise InvalidOption("state: absent needs accessor, which says which secret ID goes.")
        return _destroy(roles, role, accessor, run.dry_run)
    if wrap_ttl < 1:
        raise InvalidOption("wrap_ttl must be at least one second: the secret ID is never answered in the clear.")
    known = roles.secret_id(role, accessor) if accessor else None
    reason = _why_another(accessor, known, renew_before, run.now)
    if not reason:
        return Outcome(changed=False, result={"secret_id": _shown(known or {}, accessor)})
    before = {"accessor": accessor} if known is not None else None
    after = {"accessor": f"(new: {reason})"}
    if run.dry_run:
        if roles.read(role) is None:
            raise NotFound(f"The role '{role}' does not exist in '{roles.path}'.")
        return Outcome(
            changed=True,
            before=before,
            after=after,
            result={"secret_id": None, "reason": reason},
        )
    wrap = roles.wrapped_secret_id(role, _body(options), wrap_ttl).wrap
    made = {
        "accessor": str(wrap.get("wrapped_accessor") or ""),
        "wrapping_token": str(wrap["token"]),
        "wrapping_ttl": int(wrap["ttl"]),
        "creation_path": str(wrap["creation_path"]),
    }
    return Outcome(
        changed=True,
        before=before,
        after=after,
        result={"secret_id": made, "reason": reason},
    )


def _destroy(roles: AppRoles, role: str, accessor: str, dry_run: bool) -> Outcome:
    there = roles.secret_id(role, accessor) is not None
    if there and not dry_run:
        roles.destroy_secret_id(role, accessor)
    before = {"accessor": accessor} if there else None
    return Outcome(there, before, None, {"secret_id": None})


def _why_another(accessor: str, known: Mapping[str, Any] | None, renew_before: int, now: float) -> str:
    """Why the machine needs another secret ID; empty when it does not."""
    if not accessor:
        return "there is none"
    if known is None:
        return "the present one is used up, expired or destroyed"
    ends = moment(known.get("expiration_time"))
    # The server says year 1 for "never".
    if ends is not None and ends > 0 and ends - now < renew_before:
        return f"the present one ends in {max(0, int(ends - now))} seconds"
    return ""


def _shown(known: Mapping[str, Any], accessor: str) -> dict[str, Any]:
    return {
        "accessor": accessor,
        "expiration_time": known.get("expiration_time"),
        "num_uses": known.get("secret_id_num_uses"),
        "metadata": known.get("metadata") or {},
    }


def _body(options: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if options.get("metadata"):
        body["metadata"] = json.dumps({str(name): str(value) for name, value in options["metadata"].items()})
    if options.get("ttl") is not None:
        body["ttl"] = duration_option("ttl", options["ttl"])
    for name in ("num_uses", "cidr_list", "token_bound_cidrs"):
        if options.get(name) is not None:
            body[name] = options[name]
    return body


def _checked_role(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise InvalidOption(f"'{name}' is not a role's name: letters, digits, '_', '-' and '.'.")
