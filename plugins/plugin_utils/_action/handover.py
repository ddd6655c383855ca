# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Complete a module's options with the controller's configuration and the run's token. **Private**."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import LOGIN_OPTIONS
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (
    OPTIONS,
    Settings,
    environment_options,
    misread,
    settings_from,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import connection_spec

# These methods log in with something that only the machine has.
_BOUND_TO_MACHINE = ("cert", "kubernetes", "none")

# The certificate also serves the connection.
_CREDENTIALS = {option.name for option in LOGIN_OPTIONS} - {"cert_auth_public_key", "cert_auth_private_key"}
_CREDENTIALS -= {"kubernetes_token_path", "token_revoke"}


def with_configuration(
    arguments: Mapping[str, Any], configured: Mapping[str, Any], refused: Sequence[str] = ()
) -> dict[str, Any]:
    """The task's options, completed by variables, environment and ini, and then by ``BAO_*`` and ``VAULT_*``.

    Args:
        refused: sentences about values of other sources that are invalid.

    Raises:
        InvalidOption: some of them have values that they cannot have; all of them are named at once.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    for option in OPTIONS:
        if any(name in given for name in (option.name, *option.aliases)):
            continue
        if option.name in configured:
            given[option.name] = configured[option.name]
    # Ansible's own messages differ from those of lookups. Another machine does not have the variables.
    problems = dict.fromkeys([*refused, *misread(given, os.environ)])
    if problems:
        raise InvalidOption(" ".join(problems))
    return {**environment_options(given, os.environ), **given}


def without_connection(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a module that needs no server, without those that defaults of the action group may have added."""
    names = {name for option in OPTIONS for name in (option.name, *option.aliases)}
    return {name: value for name, value in arguments.items() if name not in names}


def with_token(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same options with the run's token in place of credentials.

    They are unchanged where the controller cannot log in: a bastion may be the only host that reaches the server.
    """
    try:
        settings = settings_of(arguments)
        if settings.auth.method in _BOUND_TO_MACHINE:
            return dict(arguments)
        token = run_sessions().lease(settings, Display().warning).token
    except TransitError:
        return dict(arguments)
    if not token:
        # An agent adds one. At a socket, the host's own client would send its own token before.
        is_socket = settings.connection.url.startswith("unix:")
        return dict(arguments) if is_socket else {**arguments, "auth_method": "none"}
    kept = {name: value for name, value in arguments.items() if name not in _CREDENTIALS}
    return {**kept, "auth_method": "token", "token": token}


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """The settings that a module would use: templates give text for numbers, and options have aliases.

    Raises:
        InvalidOption: a module would refuse them.
    """
    names = {name for option in OPTIONS for name in (option.name, *option.aliases)}
    given = {name: value for name, value in arguments.items() if name in names}
    validated = ArgumentSpecValidator(connection_spec()).validate(given)
    if validated.error_messages:
        raise InvalidOption("The connection options are invalid.")
    return settings_from(validated.validated_parameters, os.environ)
