# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From a wanted and an actual key to the steps between them. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import (
    AT_IMPORT,
    Imported,
    ImportPlan,
    never_rotated,
    plan_import,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State, fixed, refuse
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import (
    AT_CREATION,
    ON_ONLY,
    Attribute,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import (
    HMAC_KEY_SIZE,
    KEY_TYPES,
    key_problems,
    type_problems,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean

# A key does not show what only one product has, so such an attribute can be sent but neither compared nor predicted.
_NOT_SHOWN = frozenset(attribute.name for attribute in KEY_ATTRIBUTES if attribute.server)


@dataclass(frozen=True)
class KeyPlan:
    """How a key gets from ``before`` to ``after`` (``None``: it does not exist).

    Attributes:
        create: body of the creating call, ``None`` for no such call.
        configure: body of the configuring call, empty for no such call.
        trim: the oldest version that stays, ``None`` for no such call.
        imported: what to do about key material, ``None`` if none is given.
        soft_delete: whether to soft-delete the key in the end (``True``) or to restore it first (``False``).
    """

    before: State | None
    after: State | None
    create: State | None = None
    rotate: bool = False
    configure: State = field(default_factory=dict)
    trim: int | None = None
    delete: bool = False
    imported: ImportPlan | None = None
    soft_delete: bool | None = None
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        adds = self.create is not None or self.rotate or self.imports
        removes = self.trim is not None or self.delete or self.soft_delete is not None
        return adds or removes or bool(self.configure) or self.completed

    @property
    def imports(self) -> bool:
        return self.imported is not None and self.imported.needed

    @property
    def completed(self) -> bool:
        return self.imported is not None and self.imported.completed


def key_state(actual: Mapping[str, Any]) -> State:
    """A key as the server shows it, reduced to its attributes and versions: no times, no key material."""
    state: State = {"name": actual["name"]}
    for attribute in KEY_ATTRIBUTES:
        value = actual.get(attribute.name)
        if value is None and attribute.default is None:
            continue
        state[attribute.name] = attribute.default if value is None else value
    state["latest_version"] = actual["latest_version"]
    state["min_available_version"] = actual.get("min_available_version", 0)
    return state


def plan_key(
    name: str,
    wanted: Mapping[str, Any],
    actual: Mapping[str, Any] | None,
    *,
    rotate_older_than: int | None = None,
    age: float | None = None,
    min_available_version: int | None = None,
    imported: Imported | None = None,
    soft_deleted: bool | None = None,
) -> KeyPlan:
    """The steps from the actual key ``name`` to the wanted one.

    Args:
        wanted: attributes of `KEY_ATTRIBUTES`; absent or ``None`` ones may be anything.
        actual: the key as the server shows it, ``None`` when it does not exist.
        rotate_older_than: seconds; the latest version is replaced when it is at least that old.
        age: seconds since the latest version was made, ``None`` when the server does not report it.
        min_available_version: older versions are destroyed.
        imported: what is known about material for the key.
        soft_deleted: whether the key will be soft-deleted, ``None`` for either.

    Raises:
        ChangeImpossible: with every reason.
    """
    asked = {
        attribute.name: wanted[attribute.name] for attribute in KEY_ATTRIBUTES if wanted.get(attribute.name) is not None
    }
    # The server reads 0 as 1 here.
    if asked.get("min_decryption_version") == 0:
        asked["min_decryption_version"] = 1
    material = plan_import(imported, asked, actual) if imported else None
    may_rotate = imported is None or bool(imported.allow_rotation)
    aging = _Aging(rotate_older_than, age, min_available_version, material, soft_deleted, may_rotate)
    return _plan_new_key(name, asked, aging) if actual is None else _plan_existing_key(name, asked, actual, aging)


@dataclass(frozen=True)
class _Aging:
    """What is wanted of a key's versions, and how old the latest one is.

    Attributes:
        may_rotate: whether the server may rotate the key if it is new.
    """

    rotate_older_than: int | None
    age: float | None
    min_available_version: int | None
    material: ImportPlan | None
    soft_deleted: bool | None
    may_rotate: bool

    @property
    def imports(self) -> bool:
        return self.material is not None and self.material.needed


def _plan_new_key(name: str, asked: State, aging: _Aging) -> KeyPlan:
    trim, material = aging.min_available_version, aging.material
    reasons = (
        key_problems(asked) + type_problems(asked) + _version_problems(asked, 1, 0) + _trim_problems(asked, 0, trim)
    )
    reasons += material.reasons if material else ()
    if aging.imports and aging.rotate_older_than is not None and not aging.may_rotate:
        reasons.append("rotate_older_than needs import.allow_rotation: true")
    refuse(f"Key '{name}' cannot be created as asked", reasons)
    create = {
        attribute.name: asked[attribute.name]
        for attribute in KEY_ATTRIBUTES
        if attribute.at_creation and attribute.name in asked
    }
    if asked.get("type") == "hmac" and material is None:
        create.setdefault("key_size", HMAC_KEY_SIZE)
    after = key_state({"name": name, "latest_version": 1, **{k: v for k, v in create.items() if k not in _NOT_SHOWN}})
    if material is not None:
        create = {attribute: value for attribute, value in create.items() if attribute in AT_IMPORT}
    configure = {
        attribute.name: asked[attribute.name]
        for attribute in KEY_ATTRIBUTES
        if not attribute.at_creation
        and asked.get(attribute.name, after.get(attribute.name)) != after.get(attribute.name)
    }
    return KeyPlan(
        before=None,
        after={**after, **configure, "min_available_version": trim or 0, **_shown_soft(aging)},
        create=create,
        configure=configure,
        trim=trim or None,
        imported=material,
        soft_delete=aging.soft_deleted or None,
        warnings=(*_type_warnings(asked), *_lasting_warnings(name, asked)),
    )


def _plan_existing_key(
    name: str,
    asked: State,
    actual: Mapping[str, Any],
    aging: _Aging,
) -> KeyPlan:
    before = key_state(actual)
    foreign = _foreign(asked, before)
    asked = {
        attribute: value for attribute, value in asked.items() if attribute in before or attribute not in _NOT_SHOWN
    }
    merged = {**before, **asked}
    rotate, reasons = _rotation(before, actual, aging)
    soft_delete, problems = _soft_deletion(actual, aging, rotate=rotate)
    reasons += [*problems, *foreign, *(aging.material.reasons if aging.material else ())]
    latest = before["latest_version"] + (1 if rotate or aging.imports else 0)
    changes = {
        attribute: asked[attribute.name]
        for attribute in KEY_ATTRIBUTES
        if attribute.name in asked and asked[attribute.name] != before.get(attribute.name)
    }
    for attribute, value in changes.items():
        reasons += _change_problems(attribute, before.get(attribute.name), value, foreign)
    changeable = {attribute.name: value for attribute, value in changes.items() if attribute.change != AT_CREATION}
    if changeable:
        # Rules between attributes hold for what would be sent; what is there already was accepted once.
        if changeable.get("auto_rotate_period") and never_rotated(actual):
            reasons.append(f"auto_rotate_period: {_NEVER_ROTATED}")
        reasons += key_problems(changeable) + _version_problems(merged, latest, before["min_available_version"])
    available = before["min_available_version"]
    trim = aging.min_available_version
    reasons += _trim_problems(merged, available, trim)
    refuse(f"Key '{name}' cannot be changed as asked", reasons)
    if aging.soft_deleted is not None:
        before = {**before, "soft_deleted": bool(actual.get("soft_deleted"))}
    return KeyPlan(
        before=before,
        after={
            **merged,
            **_shown_soft(aging),
            "latest_version": latest,
            "min_available_version": available if trim is None else trim,
        },
        rotate=rotate,
        configure=changeable,
        trim=None if trim == available else trim,
        imported=aging.material,
        soft_delete=soft_delete,
        warnings=(*_soft_deleted_warnings(name, actual, aging), *_lasting_warnings(name, changeable)),
    )


def _foreign(asked: State, before: State) -> list[str]:
    """Which of the attributes that differ a key of its type cannot have. Some of them the server never shows."""
    if asked.get("type", before["type"]) != before["type"]:
        return []
    differing = {attribute: value for attribute, value in asked.items() if value != before.get(attribute)}
    return type_problems({**differing, "type": before["type"]})


_NEVER_ROTATED = "the server does not rotate the key, which was imported without allow_rotation"


def _rotation(before: State, actual: Mapping[str, Any], aging: _Aging) -> tuple[bool, list[str]]:
    """Whether to rotate, and why that cannot be said or done. A version that is imported is as new as a rotated one."""
    if aging.rotate_older_than is None:
        return False, []
    if never_rotated(actual):
        # Whatever its age is: sooner or later it would be too old.
        return False, [f"rotate_older_than: {_NEVER_ROTATED}"]
    if aging.imports:
        return False, []
    if aging.age is None:
        return False, [f"the server does not report the age of a key of type {before['type']}"]
    return aging.age >= aging.rotate_older_than, []


def plan_key_absence(name: str, actual: Mapping[str, Any] | None, *, force: bool) -> KeyPlan:
    """The steps that delete the key.

    Raises:
        ChangeImpossible: the server does not allow its deletion, and ``force`` is not set.
    """
    if actual is None:
        return KeyPlan(before=None, after=None)
    before = key_state(actual)
    if before["deletion_allowed"]:
        return KeyPlan(before=before, after=None, delete=True)
    if not force:
        refuse(
            f"Key '{name}' cannot be deleted",
            [
                (
                    "deletion_allowed is false on the server, which protects everything encrypted with the key; "
                    "set deletion_allowed: true first, or give force: true"
                )
            ],
        )
    return KeyPlan(before=before, after=None, configure={"deletion_allowed": True}, delete=True)


def _change_problems(attribute: Attribute, before: Any, value: Any, foreign: list[str]) -> list[str]:
    if any(problem.startswith(f"{attribute.name} ") for problem in foreign):
        return []
    if attribute.change == AT_CREATION:
        return [fixed(attribute.name, before, value)]
    if attribute.change == ON_ONLY and before:
        return [
            (
                f"{attribute.name} is on and cannot be turned off again: put new secrets under a new key, "
                f"or accept it with {attribute.name}: true"
            )
        ]
    return []


def _version_problems(state: Mapping[str, Any], latest: int, available: int) -> list[str]:
    problems = []
    decryption = state.get("min_decryption_version") or 1
    encryption = state.get("min_encryption_version") or 0
    for name, version in (("min_decryption_version", decryption), ("min_encryption_version", encryption)):
        if version > latest:
            problems.append(f"{name} cannot be {version}: the latest version is {latest}")
    if 0 < encryption < decryption:
        problems.append(f"min_encryption_version {encryption} would be below min_decryption_version {decryption}")
    if available and decryption < available:
        problems.append(f"min_decryption_version cannot be {decryption}: versions below {available} were trimmed")
    if available and encryption < available:
        problems.append(f"min_encryption_version cannot be {encryption}: versions below {available} were trimmed")
    return problems


def _trim_problems(state: Mapping[str, Any], available: int, trim: int | None) -> list[str]:
    """Why versions cannot be destroyed so that ``trim`` is the oldest one."""
    if trim is None or trim == available:
        return []
    if trim < available:
        return [
            f"min_available_version cannot be {trim}: versions below {available} were trimmed, and do not come back"
        ]
    return [
        f"min_available_version cannot be {trim}: {name} is {floor or 'not set'}, and what it lets through stays"
        for name, floor in (
            ("min_decryption_version", state.get("min_decryption_version") or 1),
            ("min_encryption_version", state.get("min_encryption_version") or 0),
        )
        if floor < trim
    ]


def _type_warnings(asked: State) -> list[str]:
    key_type = asked.get("type")
    if key_type is None or key_type in KEY_TYPES:
        return []
    return [
        f"The key type '{key_type}' is not one that this collection knows; the server decides."
        + did_you_mean(key_type, KEY_TYPES)
    ]


def _shown_soft(aging: _Aging) -> State:
    return {} if aging.soft_deleted is None else {"soft_deleted": aging.soft_deleted}


def _soft_deletion(actual: Mapping[str, Any], aging: _Aging, *, rotate: bool) -> tuple[bool | None, list[str]]:
    """Whether to soft-delete (``True``) or restore (``False``) the key, and why something is impossible."""
    is_soft, wanted = bool(actual.get("soft_deleted")), aging.soft_deleted
    if wanted and "soft_deleted" not in actual:
        return None, ["the server does not soft-delete keys, which only OpenBao does"]
    if is_soft and wanted is not False and (rotate or aging.imports):
        return None, ["it is soft-deleted, and gets no version until it is restored: set soft_deleted: false"]
    return (None if wanted is None or wanted == is_soft else wanted), []


def _lasting_warnings(name: str, changes: Mapping[str, Any]) -> list[str]:
    """What a change does forever."""
    lasting = {
        "exportable": "anyone who can export the key",
        "allow_plaintext_backup": "anyone who can back up the key, if it is also exportable,",
    }
    return [
        f"Key '{name}': {attribute} is turned on, which cannot be undone: {who} has the key itself."
        for attribute, who in lasting.items()
        if changes.get(attribute)
    ]


def _soft_deleted_warnings(name: str, actual: Mapping[str, Any], aging: _Aging) -> list[str]:
    if not actual.get("soft_deleted") or aging.soft_deleted is not None:
        return []
    return [f"Key '{name}' is soft-deleted: it neither encrypts nor decrypts until it is restored."]
