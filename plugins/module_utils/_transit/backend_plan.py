# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From a wanted and an actual mount of the engine to the steps between them. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State, fixed, refuse
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import AT_CREATION, Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES


@dataclass(frozen=True)
class MountPlan:
    """How a mount gets from ``before`` to ``after`` (``None``: it does not exist).

    ``enable`` and ``tune`` are bodies; ``disable_upsert`` and ``cache_size`` are ``None`` where they stay as they are.
    """

    before: State | None
    after: State | None
    enable: State | None = None
    tune: State = field(default_factory=dict)
    disable_upsert: bool | None = None
    cache_size: int | None = None
    disable: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return (
            self.enable is not None
            or bool(self.tune)
            or self.disable_upsert is not None
            or self.cache_size is not None
            or self.disable
        )


def mount_state(actual: Mapping[str, Any]) -> State:
    """A mount as ``sys/mounts`` shows it, reduced to `MOUNT_ATTRIBUTES`."""
    config = actual.get("config") or {}
    state: State = {}
    for attribute in MOUNT_ATTRIBUTES:
        value = actual.get(attribute.name, config.get(attribute.name))
        state[attribute.name] = _plain(attribute, attribute.default if value is None else value)
    return state


def plan_mount(
    path: str,
    wanted: Mapping[str, Any],
    actual: Mapping[str, Any] | None,
    *,
    upsert_disabled: bool | None,
    cache_size: int | None,
) -> MountPlan:
    """The steps from the actual engine at ``path`` to the wanted one.

    Args:
        wanted: attributes of `MOUNT_ATTRIBUTES`, ``disable_upsert`` and ``cache_size``; ``None`` may be anything.
        actual: the mount as the server shows it, ``None`` when there is none.
        upsert_disabled: the engine's setting, ``None`` when not known because nothing is wanted of it.
        cache_size: the same for the cache.

    Raises:
        ChangeImpossible: with every reason.
    """
    asked = {
        attribute.name: _plain(attribute, wanted[attribute.name])
        for attribute in MOUNT_ATTRIBUTES
        if wanted.get(attribute.name) is not None
    }
    present: State = {"disable_upsert": upsert_disabled, "cache_size": cache_size}
    if actual is None:
        present = {"disable_upsert": False, "cache_size": 0}
    settings = {name: wanted[name] for name in present if wanted.get(name) is not None}
    changes = {name: value for name, value in settings.items() if value != present[name]}
    before: State | None = None
    current = mount_state({})
    tune: State = {}
    if actual is not None:
        current = _transit_state(path, actual)
        before = {**current, **{name: present[name] for name in settings}}
        tune = _tuning(path, asked, current)
    return MountPlan(
        before=before,
        after={**current, **asked, **settings},
        enable=_enable_body(asked) if actual is None else None,
        tune=tune,
        disable_upsert=changes.get("disable_upsert"),
        cache_size=changes.get("cache_size"),
        warnings=tuple(_audit_warnings(asked)),
    )


def _transit_state(path: str, actual: Mapping[str, Any]) -> State:
    if actual.get("type") != "transit":
        refuse(
            f"The engine at '{path}' cannot be a Transit engine",
            [f"an engine of type '{actual.get('type')}' is mounted there; choose another path"],
        )
    return mount_state(actual)


def _tuning(path: str, asked: State, current: State) -> State:
    differing = {name: value for name, value in asked.items() if value != current[name]}
    refuse(f"The engine at '{path}' cannot be changed as asked", _mount_problems(differing, current))
    return differing


def plan_mount_absence(
    path: str, actual: Mapping[str, Any] | None, key_names: Sequence[str], *, force: bool
) -> MountPlan:
    """The steps that disable the engine.

    Raises:
        ChangeImpossible: it is not a Transit engine, or it holds keys and ``force`` is not set.
    """
    if actual is None:
        return MountPlan(before=None, after=None)
    reasons = []
    if actual.get("type") != "transit":
        reasons.append(f"it is of type '{actual.get('type')}', not transit")
    elif key_names and not force:
        reasons.append(
            f"it holds keys ({_shortened(key_names)}) and disabling it destroys them for good; "
            "delete them first, or give force: true"
        )
    refuse(f"The engine at '{path}' cannot be disabled", reasons)
    return MountPlan(before=mount_state(actual), after=None, disable=True)


def _enable_body(asked: State) -> State:
    """Durations and lists belong in ``config``; at the top level the server drops them silently."""
    top = {"description", "options", "plugin_version", "local", "seal_wrap", "external_entropy_access"}
    body = {name: value for name, value in asked.items() if name in top}
    config = {name: value for name, value in asked.items() if name not in top}
    if config:
        body["config"] = config
    return body


def _mount_problems(differing: State, current: State) -> list[str]:
    return [
        fixed(attribute.name, current[attribute.name], differing[attribute.name])
        for attribute in MOUNT_ATTRIBUTES
        if attribute.name in differing and attribute.change == AT_CREATION
    ]


def _audit_warnings(asked: State) -> list[str]:
    shown = [
        name
        for name in ("audit_non_hmac_request_keys", "audit_non_hmac_response_keys")
        if "plaintext" in asked.get(name, ())
    ]
    return [f"{name} with 'plaintext' writes every secret readable into the audit log." for name in shown]


def _plain(attribute: Attribute, value: Any) -> Any:
    if attribute.kind == "list":
        return list(value)
    if attribute.kind == "dict":
        return dict(value or {})
    return value


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
