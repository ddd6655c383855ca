# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Services that get their secrets from an agent: variables of the role `mlkeys.transit.vault_transit_host`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._model.element import Element
from mlkeys._model.marks import Target, parts
from mlkeys._shared.hcl import APPROLE, problems_of_method
from mlkeys._shared.shapes import steering_problem
from mlkeys._targets.ansible.ciphertexts import new_ciphertexts, path_template
from mlkeys._targets.ansible.values import Values

ROLE = "mlkeys.transit.vault_transit_host"
#: The role gives each service a folder in this one.
FOLDER = "/etc/mlkeys"

#: Where the role puts units, and what a name of one looks like.
_UNIT = re.compile(r"/etc/systemd/system/([A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)\.service")


def problems_of(view: View, config: HostConfig, agent: Agent) -> Iterable[str]:
    """Return the problems of an agent."""
    yield from _problems_of_settings(agent)
    yield from _problems_of_secrets(view, agent)
    if not isinstance(config.dest, str) or not _UNIT.fullmatch(config.dest):
        yield "agent: dest must be the path of a systemd unit, /etc/systemd/system/NAME.service"
    if agent.address is None and (stack := view.stack_of[config]) is not None and stack.url is None:
        yield "agent: set the address of the agent or the url of the stack"


def _problems_of_settings(agent: Agent) -> Iterable[str]:
    if not agent.command:
        yield "agent: command must be a list, the program and its arguments"
    if agent.auth_method == APPROLE:
        if agent.role is None:
            yield "agent: set the role that it logs in as, or another auth_method"
        return
    if agent.role is not None:
        yield f"agent: an AppRole does not log in with {agent.auth_method}: remove role, and set auth_role"
    certificate = agent.client_cert is not None and agent.client_key is not None
    found = problems_of_method(
        "agent.", agent.auth_method, agent.auth_role or "", agent.auth_config, certificate=certificate
    )
    yield from found


def _problems_of_secrets(view: View, agent: Agent) -> Iterable[str]:
    keys = set()
    for name, ciphertext in agent.ciphertexts.items():
        if not name.isidentifier():
            yield f"agent: {name!r} is not a valid name for an environment variable"
        elif problem := steering_problem(name):
            yield f"agent: {problem}"
        entry = _encrypted(view, ciphertext)
        if entry is None:
            yield f"agent: {name} must be a ciphertext of this program, such as key.encrypt(…).ciphertext"
        else:
            keys.add(entry.key)
    if not agent.env:
        yield "agent: env is empty, so there is nothing to decrypt"
    if len(keys) > 1:
        named = ", ".join(sorted(key.node.path for key in keys))
        yield f"agent: all of its secrets must be encrypted with one key, and not with {named}"


def problems_of_variables(view: View, data: Mapping[str, Any]) -> Iterable[str]:
    """Return the problems of variables that are not an agent's. Values that are not encrypted may be in any."""
    for name, value in data.items():
        problem = steering_problem(name)
        if problem and any(_is_ciphertext(view, part) for part in parts(str(value))):
            yield problem


def _is_ciphertext(view: View, part: object) -> bool:
    pointer = view.pointer(part) if isinstance(part, Target) else None
    return pointer is not None and isinstance(pointer.element, Encrypted)


def _encrypted(view: View, text: str) -> Encrypted | None:
    found = parts(str(text))
    if len(found) != 1 or not isinstance(found[0], Target):
        return None
    pointer = view.pointer(found[0])
    return pointer.element if pointer is not None and isinstance(pointer.element, Encrypted) else None


def name_of(config: HostConfig) -> str:
    """Return the name of the service, as a check has found it in the path of its unit."""
    found = _UNIT.fullmatch(str(config.dest))
    return found[1] if found is not None else ""


def config_path(config: HostConfig) -> str:
    """Return the path of the file with the ciphertexts of a service."""
    return f"{FOLDER}/{name_of(config)}/agent.hcl"


#: Settings that the role has under the same names.
_GIVEN = ("ca_cert", "ca_path", "client_cert", "client_key", "tls_server_name", "auth_namespace", "binary")


def _login(agent: Agent, values: Values) -> dict[str, Any]:
    """Return the variables that say what the agent logs in with."""
    variables: dict[str, Any] = {
        "agent_environment": {name: values.text(value) for name, value in agent.agent_environment.items()} or None
    }
    if agent.role is not None:
        role = {"approle": values.plain(agent.role.name), "approle_path": values.plain(agent.role.backend)}
        return {**role, **variables}
    config = {
        name: values.text(value) if isinstance(value, str) else value for name, value in agent.auth_config.items()
    }
    for name in ("auth_method", "auth_path", "auth_role"):
        given = getattr(agent, name)
        variables[name] = values.text(given) if given is not None else None
    return {**variables, "auth_config": config or None}


def task(config: HostConfig, agent: Agent, values: Values, vars_files: Mapping[Element, str]) -> dict[str, Any]:
    """Return the task that deploys a service with the role.

    Args:
        vars_files: paths of the files of ciphertexts.
    """
    text = values.view.text
    entries = {
        name: entry for name, text in agent.ciphertexts.items() if (entry := _encrypted(values.view, text)) is not None
    }
    files = dict.fromkeys(
        path_template(vars_files[entry.node.scope])
        for entry in entries.values()
        if isinstance(entry.node.scope, EncryptedVars)
    )
    key = next(iter(entries.values())).key
    words = [values.text(str(word)) for word in agent.command]
    # The role starts a program by its path alone.
    finding = [] if str(agent.command[0]).startswith("/") else ["/usr/bin/env"]
    service: dict[str, Any] = {
        "name": name_of(config),
        "command": [*finding, *words],
        "environment": {name: entry.name for name, entry in entries.items()},
        "user": text(agent.user),
        **({"restart_units": [text(config.restart)]} if config.restart else {}),
    }
    variables = {
        "services": [service],
        "vars_files": list(files),
        "new_ciphertexts": new_ciphertexts([entry.name for entry in entries.values()]),
        "backend": values.plain(key.backend),
        "key": values.plain(key.name),
        **_login(agent, values),
        "url": values.text(agent.address or values.stack.url or ""),
        **{
            name: values.text(given)
            for name, given in (
                ("namespace", agent.namespace if agent.namespace is not None else values.stack.namespace),
                *((name, getattr(agent, name)) for name in _GIVEN),
            )
            if given is not None
        },
        "install": agent.install or None,
    }
    return {
        "name": f"Service {values.name(config)}",
        "ansible.builtin.include_role": {"name": ROLE, "apply": {"become": True}},
        "vars": {f"vault_transit_host_{name}": value for name, value in variables.items() if value is not None},
    }
