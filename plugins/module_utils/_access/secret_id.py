# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The secret IDs by which machines log in. **Private** to the collection."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._access.approle import checked_role
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    PermissionDenied,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import duration_option
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import moment


@dataclass(frozen=True)
class SecretIdRequest:
    """What is wanted of a machine's secret ID: the options of ``vault_transit_secret_id``, checked.

    Attributes:
        path: where the auth method is mounted.
        accessor: of the machine's current secret ID, empty when it has none.
        renew_before: create another when the current one expires within this many seconds.
        check_rights: ask the server first whether the token may create, look up and destroy secret IDs.
        max_age: create another when the current one is older than this many seconds, 0 for any age.
        wrap_ttl: seconds for which the server keeps the secret ID.
        properties: of a new secret ID, as the server takes them.
    """

    path: str
    role: str
    accessor: str = ""
    present: bool = True
    renew_before: int = 0
    max_age: int = 0
    wrap_ttl: int = 0
    check_rights: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)


def secret_id_request(options: Mapping[str, Any]) -> SecretIdRequest:
    """The request that the options of ``vault_transit_secret_id`` make.

    Raises:
        InvalidOption: an option cannot be right.
    """
    request = SecretIdRequest(
        options["path"],
        checked_role(options["role"]),
        options.get("accessor") or "",
        present=options["state"] == "present",
        wrap_ttl=duration_option("wrap_ttl", options.get("wrap_ttl")) or 0,
        renew_before=duration_option("renew_before", options.get("renew_before")) or 0,
        max_age=duration_option("max_age", options.get("max_age")) or 0,
        check_rights=bool(options.get("check_rights")),
        properties=_properties(options),
    )
    if not request.present and not request.accessor:
        raise InvalidOption("state: absent needs accessor, which names the secret ID to destroy.")
    if request.present and request.wrap_ttl < 1:
        raise InvalidOption("wrap_ttl must be at least one second: the secret ID is never returned in the clear.")
    return request


def _properties(options: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if options.get("metadata"):
        properties["metadata"] = json.dumps({str(name): str(value) for name, value in options["metadata"].items()})
    if options.get("ttl") is not None:
        properties["ttl"] = duration_option("ttl", options["ttl"])
    for name in ("num_uses", "cidr_list", "token_bound_cidrs"):
        if options.get(name) is not None:
            properties[name] = options[name]
    return properties


def reconcile_secret_id(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Give a machine a secret ID that lives on for a while, as the options of ``vault_transit_secret_id`` describe."""
    request = secret_id_request(options)
    roles = AppRoles(client, request.path)
    if request.check_rights:
        _check_rights(client, roles, request.role)
    if request.present and request.renew_before:
        _check_life(roles, request)
    known = roles.secret_id(request.role, request.accessor) if request.accessor else None
    before = {"accessor": request.accessor} if known is not None else None
    if not request.present:
        if known is not None and not run.dry_run:
            roles.destroy_secret_id(request.role, request.accessor)
        return Outcome(known is not None, before, None, {"secret_id": None})
    reason = _why_another(request, known, run)
    if not reason:
        return Outcome(changed=False, result={"secret_id": _shown(known or {}, request.accessor)})
    made = None
    if not run.dry_run:
        made = _make(roles, request)
    elif roles.read(request.role) is None:
        raise roles.missing(request.role)
    after = {"accessor": f"(new: {reason})"}
    return Outcome(changed=True, before=before, after=after, result={"secret_id": made, "reason": reason})


def _check_rights(client: Client, roles: AppRoles, role: str) -> None:
    """
    Raises:
        PermissionDenied: the token lacks a right, as far as the server says which it has.
    """
    denied = roles.denied(role)
    if denied:
        raise PermissionDenied(
            f"The token may not give machines secret IDs of the role '{role}': it lacks update on {', '.join(denied)}. "
            + client.asked_with("token capabilities", denied[0]),
            403,
        )


def _check_life(roles: AppRoles, request: SecretIdRequest) -> None:
    """
    Raises:
        InvalidOption: every run would replace the secret ID.
    """
    life = request.properties.get("ttl")
    if life is None:
        try:
            life = (roles.read(request.role) or {}).get("secret_id_ttl")
        except PermissionDenied:
            return
    if life and request.renew_before >= int(life):
        raise InvalidOption(
            f"renew_before is {request.renew_before} seconds, and a secret ID of the role '{request.role}' lives for "
            f"{int(life)}: every run would create another one. Make renew_before shorter than that. To replace the "
            "current one now, set max_age to 1s."
        )


def _make(roles: AppRoles, request: SecretIdRequest) -> dict[str, Any]:
    """Make a secret ID; what is returned is all but the secret ID itself."""
    reply = roles.wrapped_secret_id(request.role, request.properties, request.wrap_ttl)
    wrap = Reply(reply.wrap, path=reply.path)
    accessor = wrap.text("wrapped_accessor")
    return {
        "accessor": accessor,
        "expiration_time": _end(roles, request.role, accessor),
        "wrapping_token": wrap.text("token"),
        "wrapping_ttl": wrap.number("ttl"),
        "creation_path": wrap.text("creation_path"),
    }


def _end(roles: AppRoles, role: str, accessor: str) -> Any:
    """When a new secret ID expires, which the wrapped reply does not say; ``None`` without the right to look."""
    try:
        return (roles.secret_id(role, accessor) or {}).get("expiration_time")
    except PermissionDenied:
        return None


def _why_another(request: SecretIdRequest, known: Mapping[str, Any] | None, run: RunContext) -> str:
    """Why the machine needs another secret ID; empty when it does not."""
    if not request.accessor:
        return "the machine has no secret ID"
    if known is None:
        return "the current secret ID is used up, expired or destroyed"
    ends = moment(known.get("expiration_time"))
    # The server writes the year 1 for "never".
    if ends is not None and ends > 0 and ends - run.now < request.renew_before:
        return f"the current secret ID expires in {max(0, int(ends - run.now))} seconds"
    began = moment(known.get("creation_time"))
    if request.max_age and began is not None and run.now - began > request.max_age:
        return f"the current secret ID is {int(run.now - began)} seconds old"
    return ""


def _shown(known: Mapping[str, Any], accessor: str) -> dict[str, Any]:
    return {
        "accessor": accessor,
        "expiration_time": known.get("expiration_time"),
        "num_uses": known.get("secret_id_num_uses"),
        "metadata": known.get("metadata") or {},
    }
