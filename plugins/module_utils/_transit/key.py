# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Keys: read the actual key, plan, apply. **Private** to the collection.

A dry run does everything but write, so a prediction is the plan that a real run applies.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    NotFound,
    ServerError,
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import PRESENT, published_keys
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.locks import exclusive_all
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import REFERENCES, unknown_type_hint
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.importing import (
    ImportRequest,
    complete_material,
    import_request,
    send_material,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import (
    KeyPlan,
    key_state,
    plan_key,
    plan_key_absence,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import (
    checked_name,
    duration_option,
    wanted_attributes,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import latest_age


@dataclass(frozen=True)
class KeyRequest:
    """What is wanted of one key: the options of ``vault_transit_key``, checked.

    Attributes:
        backend: where the key's engine is mounted.
        force: delete the key although the server does not allow it.
        wanted: attributes of `KEY_ATTRIBUTES`, durations in seconds. Those that are missing may be anything.
        rotate_older_than: seconds.
        min_available_version: older versions are destroyed.
        material: what to import.
        soft_deleted: whether it is soft-deleted, ``None`` for either.
    """

    backend: str
    name: str
    present: bool = True
    force: bool = False
    wanted: State = field(default_factory=dict)
    rotate_older_than: int | None = None
    min_available_version: int | None = None
    material: ImportRequest | None = None
    soft_deleted: bool | None = None


def key_request(options: Mapping[str, Any], backend: str) -> KeyRequest:
    """The request that the options of ``vault_transit_key`` make, but for their ``backend``.

    Raises:
        InvalidOption: a key cannot have this name, a duration is not one, or material cannot be imported.
    """
    name = checked_name(options["name"])
    if options["state"] == "absent":
        return KeyRequest(backend, name, present=False, force=bool(options["force"]))
    material = import_request(options)
    return KeyRequest(
        backend,
        name,
        wanted=_with_size(wanted_attributes(options, KEY_ATTRIBUTES), material),
        rotate_older_than=duration_option("rotate_older_than", options.get("rotate_older_than")),
        min_available_version=options.get("min_available_version"),
        material=material,
        soft_deleted=options.get("soft_deleted"),
    )


def _with_size(wanted: State, material: ImportRequest | None) -> State:
    """The attributes, with the size that the server shows of a key of type hmac alone.

    Raises:
        InvalidOption: the material has another size.
    """
    size = len(material.material.secret) if material else 0
    if not size or wanted.get("type") != "hmac":
        return wanted
    if wanted.get("key_size") not in (None, size):
        raise InvalidOption(f"key_size is {wanted['key_size']}, and the material has {size} bytes.")
    return {**wanted, "key_size": size}


def reconcile_key(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring one key to the state that the options of ``vault_transit_key`` describe."""
    request = key_request(options, options["backend"])
    transit = Transit(client, request.backend, predicting=run.dry_run and request.present)
    with exclusive_all(rotation_locks([request], run)):
        plan = plan_request(request, transit.read_key(request.name), run)
        after: Mapping[str, Any] | None = plan.after
        warnings = plan.warnings + prediction_warnings(transit)
        if not run.dry_run:
            plan, after, more = carried_out(transit, request, plan, run)
            warnings += more
    return Outcome(plan.changed, plan.before, after, {"key": after, **import_result(request, plan)}, warnings)


def import_result(request: KeyRequest, plan: KeyPlan) -> dict[str, Any]:
    """What became of the material, as a return value; nothing if there is none."""
    if request.material is None or plan.imported is None:
        return {}
    version, done = request.material.facts.version, plan.imported
    return {
        "imported": {
            "version": version,
            "done": done.needed or done.completed,
            "compared": done.compared,
            "private": done.private,
        }
    }


# Of a first import: somebody else made the key.
_TAKEN = "cannot be used with an existing key"


def carried_out(
    transit: Transit, request: KeyRequest, plan: KeyPlan, run: RunContext
) -> tuple[KeyPlan, Mapping[str, Any] | None, tuple[str, ...]]:
    """Carry out the plan: the plan that was carried out in the end, the key's state afterwards, and warnings."""
    plan = completed(transit, request, plan)
    if not plan.changed:
        return plan, plan.after, ()
    try:
        return (plan, *apply_key(transit, request, plan))
    except ServerError as error:
        if not (plan.imports and error.says(_TAKEN)):
            raise
    # Somebody else made the key since it was read. It may be the same one.
    plan = completed(transit, request, plan_request(request, transit.read_key(request.name), run))
    return (plan, *apply_key(transit, request, plan)) if plan.changed else (plan, plan.after, ())


def completed(transit: Transit, request: KeyRequest, plan: KeyPlan) -> KeyPlan:
    """The plan, after the private key was sent to a version that may have the public key alone.

    Only sending it shows whether it was missing, so no plan can know that before.
    """
    if request.material is None or plan.imported is None or not plan.imported.completes:
        return plan
    was_missing = complete_material(transit, request.name, request.material)
    return replace(plan, imported=replace(plan.imported, private=PRESENT, completed=was_missing))


def rotation_locks(requests: Iterable[KeyRequest], run: RunContext) -> list[str]:
    """The locks to hold from reading the age of keys until they are rotated: a second run finds them young."""
    aging = [request for request in requests if request.rotate_older_than is not None]
    return [] if run.dry_run else [f"rotate {request.backend.strip('/')}/{request.name}" for request in aging]


def prediction_warnings(transit: Transit) -> tuple[str, ...]:
    """What a prediction for an engine that does not exist depends on."""
    warning = (
        f"The engine '{transit.backend}' is not enabled. "
        "Without check mode this fails unless an earlier task enables it."
    )
    return (warning,) if transit.is_predicted else ()


def plan_request(request: KeyRequest, actual: Mapping[str, Any] | None, run: RunContext) -> KeyPlan:
    """The steps from the key as the server shows it (``None``: it does not exist) to what is wanted.

    Raises:
        ChangeImpossible: with every reason.
    """
    if not request.present:
        return plan_key_absence(request.name, actual, force=request.force)
    age = latest_age(actual, run.now) if actual else None
    return plan_key(
        request.name,
        request.wanted,
        actual,
        rotate_older_than=request.rotate_older_than,
        age=age,
        min_available_version=request.min_available_version,
        imported=request.material.facts if request.material else None,
        soft_deleted=request.soft_deleted,
    )


def apply_key(transit: Transit, request: KeyRequest, plan: KeyPlan) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """Carry out the plan: the key's state afterwards, and the server's warnings."""
    if plan.delete:
        _remove_key(transit, request.name, plan)
        return None, ()
    name = request.name
    steps = Steps()
    configure = plan.configure
    warnings: tuple[str, ...] = ()
    latest: Mapping[str, Any] = plan.before or {}
    if plan.soft_delete is False:
        steps.run("the key was restored", lambda: transit.restore_soft_deleted(name))
    if plan.imports and request.material is not None:
        material = request.material
        latest = steps.run("the material was imported", lambda: _import(transit, name, material, plan))
        warnings += _also_imported(name, material.facts.version, latest)
    elif plan.create is not None:
        reply = steps.run("the key was created", lambda: _create_key(transit, name, plan.create or {}))
        warnings += reply.warnings
        latest = key_state(reply.data)
        # Somebody else may have created it since it was read, and then the server returned theirs.
        configure = plan_key(name, request.wanted, reply.data).configure
    if plan.rotate:
        latest = steps.run("the key was rotated", lambda: _rotate_key(transit, request, plan.before or {}))
        warnings += _also_rotated(name, plan.before or {}, latest)
    if configure:
        reply = steps.run("the key was configured", lambda: transit.configure_key(name, configure))
        warnings += reply.warnings
        latest = key_state(reply.data)
    oldest = plan.trim
    if oldest is not None:
        steps.run("older versions were trimmed", lambda: transit.trim_key(name, oldest))
        latest = {**latest, "min_available_version": oldest}
    if plan.soft_delete:
        steps.run("the key was soft-deleted", lambda: transit.soft_delete_key(name))
    if request.soft_deleted is not None:
        latest = {**latest, "soft_deleted": request.soft_deleted}
    return latest, warnings


def _create_key(transit: Transit, name: str, body: Mapping[str, Any]) -> Any:
    try:
        return transit.create_key(name, body)
    except ServerError as error:
        raise _explained(error, body, "does not know the key type") from None


def _explained(error: ServerError, body: Mapping[str, Any], unknown: str) -> ServerError:
    """The refusal of a new key, as advice where its attributes are the reason.

    Args:
        unknown: what the server does not do with the type, if that is the reason.
    """
    if error.says("unknown key type"):
        kind = str(body.get("type", ""))
        message = f"The server {unknown} '{kind}'.{unknown_type_hint(kind)}"
    elif error.says("failed to fetch external key"):
        reference = body.get("external_key_ref")
        message = f"The server has no external key '{reference}': configure it there, or correct external_key_ref."
    else:
        return error
    return error.in_words(message)


def _import(transit: Transit, name: str, material: ImportRequest, plan: KeyPlan) -> Mapping[str, Any]:
    """Import, and read the key, of which the server's answer says nothing."""

    def send() -> Mapping[str, Any]:
        try:
            send_material(transit, name, material, plan.create or {})
        except ServerError as error:
            # Such a key shows latest version 1 as well, and would be mistaken for this one.
            error.not_applied = error.not_applied or error.says(_TAKEN)
            raise _explained(error, plan.create or {}, "imports no keys of type") from None
        return transit.read_key(name, exists=True) or {}

    def is_done(actual: Mapping[str, Any]) -> bool:
        version = material.facts.version
        is_it = published_keys(actual).get(version) in (None, material.facts.public)
        return actual["latest_version"] == version and is_it

    actual = send_once(transit, name, send, is_done, "imported")
    if not actual:
        raise NotFound(f"Key '{name}' was imported, and somebody else deleted it at once.")
    _check_imported(name, material, actual)
    return key_state(actual)


def _check_imported(name: str, material: ImportRequest, actual: Mapping[str, Any]) -> None:
    """Only the server can unwrap what was wrapped before, so only now it shows what that was.

    Raises:
        InvalidOption: it is another key than its public key says.
    """
    facts = material.facts
    found = published_keys(actual).get(facts.version, facts.public)
    if facts.public and actual["latest_version"] == facts.version and found != facts.public:
        raise InvalidOption(
            f"import.ciphertext was imported as version {facts.version} of key '{name}', and its public key is not "
            "import.public_key. Correct public_key if the key is the one you mean."
        ).after(["the material was imported"])


def _rotate_key(transit: Transit, request: KeyRequest, before: Mapping[str, Any]) -> Mapping[str, Any]:
    # A version whose material is elsewhere names its place.
    body = {option: request.wanted[option] for option in REFERENCES if request.wanted.get(option)}
    name = request.name
    reply = send_once(
        transit,
        name,
        lambda: transit.rotate_key(name, body).data,
        lambda actual: actual["latest_version"] > before["latest_version"],
        "rotated",
    )
    return key_state(reply)


def _also_rotated(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The server rotates whatever the version is, so nothing keeps another machine from doing it in the same moment."""
    expected, found = before.get("latest_version", 0) + 1, after["latest_version"]
    if found == expected:
        return ()
    return (f"Key '{name}' was rotated by somebody else at the same time: its latest version is {found}.",)


def _also_imported(name: str, version: int, after: Mapping[str, Any]) -> tuple[str, ...]:
    """The server adds material as the next version, whatever that is by then."""
    if after["latest_version"] == version:
        return ()
    found = f"{version} to {after['latest_version']}"
    return (f"Somebody else added a version to key '{name}' at the same time: the material is one of {found}.",)


def send_once(
    transit: Transit,
    name: str,
    send: Callable[[], Mapping[str, Any]],
    is_done: Callable[[Mapping[str, Any]], bool],
    done: str,
    *,
    repeatable: bool = True,
) -> Mapping[str, Any]:
    """The answer to a write that must not happen twice, or the key afterwards where the answer is lost.

    When the answer is lost, the key shows whether the write happened. It is sent again only when it did not.

    Args:
        is_done: whether the write happened, judged by the key as the server shows it.
        done: what the write does to the key, as a past participle.
        repeatable: whether it may be sent again at all.
    """
    try:
        return send()
    except (ServerUnreachable, ServerError) as error:
        if error.not_applied or (isinstance(error, ServerError) and error.status < 500):
            raise
        lost: TransitError = error
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
    result = f"was not {done}" if certain else f"may have been {done} or not: read it before trying again"
    raise ServerUnreachable(f"{lost.message} Key '{name}' {result}.")


def _remove_key(transit: Transit, name: str, plan: KeyPlan) -> None:
    steps = Steps()
    # NotFound: somebody else deleted it in the same moment.
    with contextlib.suppress(NotFound):
        if plan.configure:
            steps.run("deletion_allowed was set", lambda: transit.configure_key(name, plan.configure))
        steps.run("the key was deleted", lambda: transit.delete_key(name))
