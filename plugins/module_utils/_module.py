# Copyright: (c) 2026, mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The edge towards Ansible's modules: argument specs, and the one place that ends a module.

**Private** to the collection.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import env_fallback
from ansible_collections.mlkeys.transit.plugins.module_utils._auth import logged_in
from ansible_collections.mlkeys.transit.plugins.module_utils._client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._errors import LibraryMissing, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._reconcile import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._schema import Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._settings import OPTIONS, Option, settings_from

Reconcile = Callable[[Client, Mapping[str, Any], bool, float], Outcome]
Spec = Dict[str, Dict[str, Any]]

_KINDS = {"duration": "str", "list": "list", "dict": "dict", "str": "str", "int": "int", "bool": "bool"}


def connection_spec() -> Spec:
    """The options for connection and authentication, the same in every module."""
    return {option.name: _option_spec(option) for option in OPTIONS}


def backend_spec() -> Spec:
    """The option that names the engine's mount."""
    return {"backend": {"type": "str", "default": "transit", "aliases": ["engine_mount_point"]}}


def attribute_spec(attributes: Sequence[Attribute]) -> Spec:
    """Options for the attributes of a key or a mount. None has a default: what is not said is not touched."""
    spec: Spec = {}
    for attribute in attributes:
        spec[attribute.name] = {"type": _KINDS[attribute.kind], "no_log": False}
        if attribute.kind == "list":
            spec[attribute.name]["elements"] = "str"
    return spec


def _option_spec(option: Option) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": option.kind, "no_log": option.secret}
    if option.default is not None:
        spec["default"] = option.default
    if option.aliases:
        spec["aliases"] = list(option.aliases)
    if option.choices:
        spec["choices"] = list(option.choices)
    if option.name != "validate_certs":
        # BAO_SKIP_VERIFY and VAULT_SKIP_VERIFY say the opposite; the settings know how to read them.
        spec["fallback"] = (env_fallback, list(option.all_environment))
    return spec


def run(module: AnsibleModule, reconcile: Reconcile) -> None:
    """Carry out ``reconcile`` with the module's options and end the module with what came of it."""
    outcome, failure = _outcome(module, reconcile)
    # Outside of any except block, so that no traceback with server answers behind it gets into the result.
    if isinstance(failure, LibraryMissing):
        module.fail_json(msg=missing_required_lib(failure.library))
    if failure is not None:
        module.fail_json(msg=failure.message, changed=failure.changed)
    for warning in outcome.warnings:
        module.warn(warning)
    diff = {"before": outcome.before or {}, "after": outcome.after or {}}
    module.exit_json(changed=outcome.changed, diff=diff, **outcome.result)


def _outcome(module: AnsibleModule, reconcile: Reconcile) -> tuple[Outcome, TransitError | None]:
    nothing = Outcome(changed=False)
    try:
        settings = settings_from(module.params, os.environ)
        with logged_in(settings, module.warn) as client:
            # A token from a file or a login has not passed through the argument spec.
            module.no_log_values.update(secret for secret in [client.token, *settings.auth.secrets] if secret)
            return reconcile(client, module.params, module.check_mode, time.time()), None
    except TransitError as error:
        return nothing, error
