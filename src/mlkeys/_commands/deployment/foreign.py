# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Engines, keys and auth methods that somebody else made: a program uses them as they are, and changes none of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlkeys._analysis.places import place
from mlkeys._analysis.view import View
from mlkeys._commands.deployment.state import StackState
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretCacheConfig
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._errors import MlkeysError
from mlkeys._model.element import Element
from mlkeys._model.stack import root_of
from mlkeys._record.left import WORDS
from mlkeys._record.record import Made
from mlkeys._system.replacing import read
from mlkeys._targets.state_names import FLOORS_FILE, FOLDER

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

    from mlkeys._targets.ansible.values import Values

#: How to name one in a program without a claim to it.
_REFERENCES = {
    "engines": "TransitSecretBackend.from_existing(…)",
    "keys": "TransitSecretBackendKey.from_existing(…)",
    "auth_methods": 'AppRole(backend="PATH")',
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something of somebody else that a program would change.

    Attributes:
        kind: engines, keys or auth_methods.
        differing: the names of the attributes, or why it cannot be as the program has it.
    """

    kind: str
    name: str
    differing: Sequence[str]


def claims(client: Client, state: StackState, there: Made) -> list[Claim]:
    """Return what a deployment would change of things that somebody else made.

    Args:
        there: these things.
    """
    if not (there.keys or there.engines or there.auth_methods):
        return []
    # Importing the target takes longer than most commands.
    from mlkeys._targets.ansible.values import Values

    view = View(root_of(state.stack))
    values = Values(view, state.stack, "")
    found = ((element, _place(view, element)) for element in view.in_stack(state.stack))
    theirs = [(element, *name) for element, name in found if name is not None and name[1] in getattr(there, name[0])]
    floors = _floors(state)
    claimed = [Claim(kind, name, [*_differing(client, one, name, values, floors)]) for one, kind, name in theirs]
    return [one for one in claimed if one.differing]


def _place(view: View, element: Element) -> tuple[str, str] | None:
    if isinstance(element, TransitSecretCacheConfig):
        return "engines", view.text(str(element.known("backend"))).strip("/")
    return place(view, element)


def _floors(state: StackState) -> Mapping[str, Any]:
    try:
        found = json.loads(read(state.folder / FLOORS_FILE) or "{}")
    except ValueError:
        # The playbook refuses it.
        return {}
    return found if isinstance(found, dict) else {}


def _differing(client: Client, element: Element, name: str, values: Values, floors: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the task of an element would change."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
        ChangeImpossible,
        PermissionDenied,
    )

    options = _options(element, name, values)
    # What a run alone knows: values of other stacks, and key material.
    yield from (option for option, value in options.items() if isinstance(value, Template))
    known = {option: value for option, value in options.items() if not isinstance(value, Template)}
    try:
        before, after = _predicted(client, element, {"state": "present", **known}, floors)
    except ChangeImpossible as problem:
        yield from problem.reasons
    except PermissionDenied:
        # The playbook needs it, and says so.
        return
    else:
        yield from (attribute for attribute, value in after.items() if before.get(attribute) != value)


def _options(element: Element, name: str, values: Values) -> dict[str, Any]:
    """Return the options of the task of an element, with its name as the record has it."""
    from mlkeys._targets.ansible.tasks import APPROLE, BACKEND, key_options, tasks_of

    if isinstance(element, TransitSecretBackendKey):
        backend, _, key = name.rpartition("/")
        options = {**key_options(element, values), "backend": backend, "name": key}
        material = options.pop("import", None)
        return options if material is None else {**options, "import": Template("")}
    (task,) = tasks_of(element, values)
    given = {"description": None, **task[APPROLE]} if isinstance(element, AppRoleAuth) else task[BACKEND]
    return {**given, "path": name}


def _predicted(
    client: Client, element: Element, options: Mapping[str, Any], floors: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the state of an object before and after its task, as the module plans it."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._access.auth_method import reconcile_auth_method
    from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import reconcile_backend
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import plan_request
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import keys_request

    run = RunContext(dry_run=True, now=time.time())
    if isinstance(element, TransitSecretBackendKey):
        given = {"backend": options["backend"], "keys": [options], "floors": floors, "on_error": "fail"}
        request = keys_request(given).entries[0].request
        plan = plan_request(request, Transit(client, request.backend).read_key(request.name), run)
        return plan.before or {}, plan.after or {}
    done = (reconcile_auth_method if isinstance(element, AppRoleAuth) else reconcile_backend)(client, options, run)
    before, after = ({} if isinstance(state, str) else state or {} for state in (done.before, done.after))
    return before, after


def check_claims(state: StackState, found: Sequence[Claim]) -> None:
    """Check that a stack changes nothing that somebody else made.

    Raises:
        MlkeysError: it would.
    """
    if not found:
        return
    words = dict(WORDS)
    named = "; ".join(f"{words[one.kind]} {one.name} ({', '.join(dict.fromkeys(one.differing))})" for one in found)
    how = " or ".join(dict.fromkeys(_REFERENCES[one.kind] for one in found))
    it, they = ("it", "it is") if len(found) == 1 else ("them", "they are")
    raise MlkeysError(
        f"Nothing was changed: the server has {named}, and {FOLDER}/{state.name} does not: somebody else made {it}, "
        f"and the program would change {it}. To use {it} as {they}, write {how}. If {they} yours, restore that "
        f"folder from version control, or take {it} over with --adopt."
    )
