# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The edge towards Ansible's modules: argument specs, and the one place that ends a module.

**Private** to the collection.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import connected
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import (
    ending,
    succeed,
    worth_masking,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import WRAPPING_HASHES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import USES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line

Reconcile = Callable[[Client, Mapping[str, Any], RunContext], Outcome]

_KINDS = {"duration": "str", "list": "list", "dict": "dict", "str": "str", "int": "int", "bool": "bool"}


def backend_spec() -> Spec:
    """The option that names the engine's mount."""
    return {"backend": {"type": "str", "default": "transit", "aliases": ["engine_mount_point"]}}


def attribute_spec(attributes: Sequence[Attribute]) -> Spec:
    """Options for the attributes of a key or a mount. None has a default: unset options are left unchanged."""
    spec: Spec = {}
    for attribute in attributes:
        spec[attribute.name] = {"type": _KINDS[attribute.kind], "no_log": False}
        if attribute.kind == "list":
            spec[attribute.name]["elements"] = "str"
    return spec


def key_spec() -> Spec:
    """The options for one key."""
    return {
        **attribute_spec(KEY_ATTRIBUTES),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "rotate_older_than": {"type": "str"},
        "min_available_version": {"type": "int"},
        "soft_deleted": {"type": "bool"},
        "import": import_spec(),
    }


def import_spec() -> dict[str, Any]:
    """The option for key material."""
    return {
        "type": "dict",
        "options": {
            "src": {"type": "str"},
            "content": {"type": "str", "no_log": True},
            "origin": {"type": "str"},
            "encoding": {"type": "str", "choices": ["base64", "hex", "pem", "raw"]},
            "passphrase": {"type": "str", "no_log": True},
            "ciphertext": {"type": "str", "no_log": True},
            "public_key": {"type": "str"},
            "hash_function": {"type": "str", "choices": list(WRAPPING_HASHES), "default": "SHA256"},
            "version": {"type": "int", "default": 1},
            "allow_rotation": {"type": "bool"},
            "complete": {"type": "bool", "default": False},
        },
        "mutually_exclusive": [("src", "content", "ciphertext"), ("src", "content", "public_key")],
        "required_one_of": [("src", "content", "ciphertext", "public_key")],
    }


def policy_spec() -> Spec:
    """The options for one policy."""
    grant: Spec = {
        "key": {"type": "str", "no_log": False},
        "backend": {"type": "str"},
        "allow": {"type": "list", "elements": "str", "required": True, "choices": sorted(USES)},
        "secrets": {"type": "list", "elements": "str", "no_log": False},
    }
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "grants": {"type": "list", "elements": "dict", "options": grant},
        "keep_grants": {"type": "bool", "default": False},
        "rules": {"type": "str"},
        "description": {"type": "str"},
        "managed_by": {"type": "str"},
        "former_managers": {"type": "list", "elements": "str"},
    }


@ending
def run(module: AnsibleModule, reconcile: Reconcile) -> None:
    """Run ``reconcile`` with the module's options and end the module with its outcome."""
    outcome = outcome_of(module, reconcile, module.params)
    result = {"changed": outcome.changed, "diff": _diff(outcome), **outcome.result}
    if outcome.failure:
        module.fail_json(outcome.failure, **result)
    succeed(module, **result)


def outcome_of(module: AnsibleModule, reconcile: Reconcile, options: Mapping[str, Any]) -> Outcome:
    """The outcome of ``reconcile`` for the options."""
    settings = settings_from(module.params, os.environ)
    with connected(settings, module.warn) as client:
        # A token from a file or a login has not passed through the argument spec.
        module.no_log_values.update(worth_masking([client.token, *settings.secrets]))
        outcome = reconcile(client, options, RunContext(module.check_mode, time.time()))
        client.settle()
    for warning in outcome.warnings:
        module.warn(one_line(warning))
    return outcome


def _diff(outcome: Outcome) -> dict[str, Any] | list[dict[str, Any]]:
    if outcome.diffs is not None:
        return [dict(diff) for diff in outcome.diffs]
    return one_diff(outcome)


def one_diff(outcome: Outcome) -> dict[str, Any]:
    """The two sides of a run over one object."""
    return {"before": _side(outcome.before), "after": _side(outcome.after)}


def _side(state: Mapping[str, Any] | str | None) -> dict[str, Any] | str:
    return state if isinstance(state, str) else dict(state or {})
