# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The edge towards Ansible's modules: argument specs, and the one place that ends a module.

**Private** to the collection.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any, Callable, Dict, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import env_fallback
from ansible_collections.mlkeys.transit.plugins.module_utils._client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._errors import LibraryMissing, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._reconcile import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._schema import KEY_ATTRIBUTES, Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._session import connected
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


def key_spec() -> Spec:
    """The options for one key."""
    return {
        **attribute_spec(KEY_ATTRIBUTES),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "rotate_older_than": {"type": "str"},
    }


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
    outcome = _outcome(module, reconcile, module.params)
    result = {"changed": outcome.changed, "diff": _diff(outcome), **outcome.result}
    if outcome.failure:
        module.fail_json(msg=outcome.failure, **result)
    module.exit_json(**result)


def run_on_file(module: AnsibleModule, reconcile: Reconcile) -> None:
    """The same for a text file at the option ``path``, which ``reconcile`` gets as ``text``.

    The file is replaced in one step, when everything else is done, and keeps its owner, mode and SELinux context or
    gets the ones that are asked for.
    """
    # A link stays a link; what it points to is replaced.
    path = os.path.realpath(module.params["path"])
    text = _read(module, path)
    outcome = _outcome(module, reconcile, {**module.params, "text": text or ""})
    diff = _one_diff(outcome)
    changed = outcome.changed
    attributes = module.load_file_common_arguments({**module.params, "path": path})
    if outcome.text is not None:
        _replace(module, path, outcome.text)
    if text is not None:
        changed = module.set_fs_attributes_if_different(attributes, changed, diff)
    elif outcome.text is not None:
        # A new file's attributes are no difference to show, and check mode has none to compare.
        module.set_fs_attributes_if_different(attributes, changed)
    module.exit_json(changed=changed, diff=diff, **outcome.result)


def _outcome(module: AnsibleModule, reconcile: Reconcile, options: Mapping[str, Any]) -> Outcome:
    outcome, failure = _attempt(module, reconcile, options)
    # Outside of any except block, so that no traceback with server answers behind it gets into the result.
    if isinstance(failure, LibraryMissing):
        module.fail_json(msg=missing_required_lib(failure.library))
    if failure is not None:
        module.fail_json(msg=failure.message, changed=failure.changed)
    for warning in outcome.warnings:
        module.warn(warning)
    return outcome


def _attempt(
    module: AnsibleModule, reconcile: Reconcile, options: Mapping[str, Any]
) -> tuple[Outcome, TransitError | None]:
    try:
        settings = settings_from(module.params, os.environ)
        with connected(settings, module.warn) as client:
            # A token from a file or a login has not passed through the argument spec.
            module.no_log_values.update(secret for secret in [client.token, *settings.auth.secrets] if secret)
            outcome = reconcile(client, options, module.check_mode, time.time())
            client.settle()
            return outcome, None
    except TransitError as error:
        return Outcome(changed=False), error


def _diff(outcome: Outcome) -> dict[str, Any] | list[dict[str, Any]]:
    if outcome.diffs is not None:
        return [dict(diff) for diff in outcome.diffs]
    return _one_diff(outcome)


def _one_diff(outcome: Outcome) -> dict[str, Any]:
    return {"before": dict(outcome.before or {}), "after": dict(outcome.after or {})}


def _read(module: AnsibleModule, path: str) -> str | None:
    """The file's text, ``None`` when there is no file."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        module.fail_json(msg=f"The folder {folder} does not exist. Create it first.")
    problem = "it cannot be read"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror or problem
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    module.fail_json(msg=f"{path}: {problem}.")
    return None


def _replace(module: AnsibleModule, path: str, text: str) -> None:
    # Beside the file: only there can it take the file's place in one step.
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".ansible_tmp", dir=os.path.dirname(path))
        # newline: line ends are the text's own.
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        problem = error.strerror or "unknown error"
    else:
        module.atomic_move(temporary, path)
        return
    module.fail_json(msg=f"{path} cannot be written ({problem}). Check its folder's permissions and free space.")
