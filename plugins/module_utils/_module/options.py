# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Options that many modules have, and that need nothing of the connection but its settings. **Private**.

What a module imports is sent to each host and loaded there for each task.
"""

from __future__ import annotations

import os
import typing
from typing import Any, Dict

from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible.module_utils.errors import AnsibleFallbackNotFound
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

Spec = Dict[str, Dict[str, Any]]


def connection_spec() -> Spec:
    """The options for connection and authentication, the same in every module."""
    return {option.name: _option_spec(option) for option in OPTIONS}


def file_spec() -> Spec:
    """The options of `ansible.builtin.file` for a file's attributes, as far as all modules have them."""
    return {name: dict(option) for name, option in typing.cast("Spec", FILE_COMMON_ARGUMENTS).items()}


def _option_spec(option: Option) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": option.kind, "no_log": option.secret}
    if option.default is not None:
        spec["default"] = option.default
    if option.aliases:
        spec["aliases"] = list(option.aliases)
    if option.choices:
        spec["choices"] = list(option.choices)
    if option.name != "validate_certs":
        # BAO_SKIP_VERIFY and VAULT_SKIP_VERIFY mean the opposite; the settings know how to read them.
        spec["fallback"] = (_from_environment, [option.name])
    return spec


def _from_environment(name: str) -> str:
    """The text of the variable that sets an option.

    Raises:
        AnsibleFallbackNotFound: there is none, or the option cannot have it. The settings then name the variable.
    """
    option = next(option for option in OPTIONS if option.name == name)
    variable = option.variable_in(os.environ)
    if not (variable and option.accepts(os.environ[variable], variable)):
        raise AnsibleFallbackNotFound
    return os.environ[variable]
