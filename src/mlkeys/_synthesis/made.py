# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a stack makes on servers and hosts, as its record names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkeys._analysis.places import place, role_place
from mlkeys._analysis.view import View
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._model.secret import GeneratedSecret
from mlkeys._model.stack import Stack
from mlkeys._record.record import Made
from mlkeys._targets.ansible.jinja import in_file
from mlkeys._targets.ansible.values import Values


def made_by(view: View, stack: Stack) -> Made:
    """Return what a stack makes."""
    values = Values(view, stack, "", on_hosts=True)
    found: dict[str, set[str]] = {
        "policies": set(),
        "roles": set(),
        "auth_methods": set(),
        "keys": set(),
        "engines": set(),
    }
    secrets: dict[str, set[str]] = {}
    generated: set[str] = set()
    files: dict[str, dict[str, str]] = {}
    agents: dict[str, dict[str, str]] = {}
    for element in view.in_stack(stack):
        if isinstance(element, EncryptedVars):
            key = "/".join(values.key_of(element))
            secrets.setdefault(key, set()).update(entry.name for entry in element.entries)
            generated |= {f"{key}/{one.name}" for one in element.entries if isinstance(one.plaintext, GeneratedSecret)}
        elif isinstance(element, HostConfig):
            dest = element.dest.text if isinstance(element.dest, Template) else in_file(view.text(element.dest))
            for group in element.hosts:
                for host in group.hosts:
                    files.setdefault(host, {})[dest] = _delivery(element)
                    if isinstance(element.content, Agent):
                        role = element.content.role
                        agents.setdefault(host, {})[dest] = role_place(view, role) if role is not None else ""
        elif (name := place(view, element)) is not None:
            kind, text = name
            found[kind].add(text)
    return Made(
        **{kind: frozenset(names) for kind, names in found.items()},
        secrets={key: frozenset(names) for key, names in secrets.items() if names},
        generated=frozenset(generated),
        files=files,
        agents=agents,
        hosts=_hosts(values, files),
    )


def keys_of_others(view: View, stack: Stack) -> frozenset[str]:
    """Return the keys that a stack uses and does not make."""
    values = Values(view, stack, "")
    keys = (key for key in view.of_kind(stack, TransitSecretBackendKey) if not key.managed)
    return frozenset(
        "/".join(values.view.text(str(part)).strip("/") for part in (key.backend, key.name)) for key in keys
    )


def former_names(view: View, stack: Stack) -> dict[str, tuple[str, ...]]:
    """Return the former names (ENGINE/KEY/NAME) that the program gives for secrets, by the present ones."""
    values = Values(view, stack, "")
    found = {}
    for file in view.of_kind(stack, EncryptedVars):
        backend, key = values.key_of(file)
        keys = [f"{backend}/{key}", *(name if "/" in name else f"{backend}/{name}" for name in file.key.aliases)]
        for entry in file.entries:
            own = f"{backend}/{key}/{entry.name}"
            names = (f"{one}/{name}" for one in keys for name in (entry.name, *entry.aliases))
            if former := tuple(name for name in names if name != own):
                found[own] = former
    return found


def _delivery(config: HostConfig) -> str:
    return "agent" if isinstance(config.content, Agent) else config.delivery


def _hosts(values: Values, files: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return how Ansible reaches hosts with files: they may leave the inventory together with the files."""
    hosts: dict[str, dict[str, Any]] = {host: {} for host in files}
    for group in values.view.of_kind(values.stack, Group):
        for host, given in group.hosts.items():
            if host in hosts:
                known = {name: value for name, value in {**group.variables, **given}.items() if _is_about_login(name)}
                hosts[host] |= _plain(values.data(known))
    return hosts


def _is_about_login(name: str) -> bool:
    return name.startswith("ansible_") and not name.startswith("ansible_hashi_vault_")


def _plain(data: Any) -> Any:
    if isinstance(data, Template):
        return data.text
    if isinstance(data, dict):
        return {name: _plain(value) for name, value in data.items()}
    return [_plain(value) for value in data] if isinstance(data, list) else data
