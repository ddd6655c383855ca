# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From a wanted and an actual role of the auth method AppRole to the steps between them. Pure. **Private**."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State, fixed, refuse
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.approle import APPROLE_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import AT_CREATION, Attribute


@dataclass(frozen=True)
class ApprolePlan:
    """How a role gets from ``before`` to ``after`` (``None``: it does not exist).

    Attributes:
        enable: whether the auth method is mounted first.
        write: body of the writing call, ``None`` for no such call.
    """

    before: State | None
    after: State | None
    enable: bool = False
    write: State | None = None
    delete: bool = False

    @property
    def changed(self) -> bool:
        return self.write is not None or self.delete


def approle_state(actual: Mapping[str, Any]) -> State:
    """A role as the server shows it, reduced to `APPROLE_ATTRIBUTES`, lists in one form."""
    state: State = {}
    for attribute in APPROLE_ATTRIBUTES:
        value = actual.get(attribute.name)
        state[attribute.name] = _role_value(attribute, attribute.default if value is None else value)
    return state


def plan_approle(
    name: str, wanted: Mapping[str, Any], actual: Mapping[str, Any] | None, *, enable: bool
) -> ApprolePlan:
    """The steps from the actual role ``name`` to the wanted one.

    Args:
        wanted: attributes of `APPROLE_ATTRIBUTES`; ``None`` may be anything.
        actual: the role as the server shows it, ``None`` when it does not exist.
        enable: whether the auth method has to be mounted first.

    Raises:
        ChangeImpossible: with every reason.
    """
    asked = {
        attribute.name: _role_value(attribute, wanted[attribute.name])
        for attribute in APPROLE_ATTRIBUTES
        if wanted.get(attribute.name) is not None
    }
    before = None if actual is None else approle_state(actual)
    current = approle_state({}) if before is None else before
    differing = {attribute: value for attribute, value in asked.items() if value != current[attribute]}
    reasons = [
        fixed(attribute.name, current[attribute.name], differing[attribute.name])
        for attribute in APPROLE_ATTRIBUTES
        if before is not None and attribute.name in differing and attribute.change == AT_CREATION
    ]
    after = {**current, **asked}
    if differing or before is None:
        reasons += _role_problems(after)
    refuse(f"The role '{name}' cannot be created or changed as asked", reasons)
    write = asked if before is None else differing or None
    return ApprolePlan(before, after, enable=enable, write=write)


def _role_problems(role: State) -> list[str]:
    problems = [
        f"{attribute.name} cannot be negative"
        for attribute in APPROLE_ATTRIBUTES
        if attribute.kind == "int" and role[attribute.name] < 0
    ]
    if not role["bind_secret_id"] and not role["secret_id_bound_cidrs"]:
        problems.append(
            "bind_secret_id: false needs secret_id_bound_cidrs, or anyone who knows the role ID could log in"
        )
    if 0 < role["token_max_ttl"] < role["token_ttl"]:
        problems.append("token_ttl is longer than token_max_ttl")
    return problems


def _role_value(attribute: Attribute, value: Any) -> Any:
    if attribute.kind != "list":
        return value
    return sorted({_network(text) if attribute.name.endswith("_cidrs") else text for text in value})


def _network(text: str) -> str:
    """A network in the server's form, which has no single addresses. Other text is left for the server to refuse."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text
