# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with an app in the eyes of one target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlkeys._app import Stack
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.output import Output
from mlkeys._element import Element, Resource
from mlkeys._errors import Problem
from mlkeys._targets.ansible import agent as agents
from mlkeys._targets.ansible.shapes import problem_of
from mlkeys._targets.ansible.sources import problem_of_template
from mlkeys._targets.terraform.resources import kind_of
from mlkeys._view import View

#: Names that mean something to Ansible itself.
_RESERVED = frozenset(
    {
        *(
            "ansible_facts",
            "environment",
            "group_names",
            "groups",
            "hosts",
            "hostvars",
            "inventory_dir",
            "lookup",
            "name",
        ),
        *("inventory_hostname", "namespace", "no_log", "omit", "outputs", "play_hosts", "playbook_dir", "port", "q"),
        *(
            "query",
            "range",
            "role_name",
            "serial",
            "server_address",
            "server_headers",
            "server_object",
            "tags",
            "tasks",
        ),
        *("vars", "when"),
    }
)


def target_problems_of(view: View, sources: Mapping[str, str]) -> tuple[Problem, ...]:
    """Problems that only the targets of the app have."""
    found: list[Problem] = []
    for element in view.elements:
        texts: list[str] = []
        if "ansible" in view.app.targets:
            texts += _ansible(view, element, sources)
        if "terraform" in view.app.targets:
            texts += _terraform(view, element)
        found += (Problem(element.node.path, element.node.location_text, text) for text in texts)
    found += _stacks(view)
    return tuple(found)


def _stacks(view: View) -> Iterator[Problem]:
    seen: dict[str, Stack] = {}
    for stack in view.app.stacks:
        first = seen.setdefault(stack.node.id.lower(), stack)
        if first is not stack:
            yield Problem(
                stack.node.path,
                stack.node.location_text,
                f"the stack [{first.node.path}] at {first.node.location_text} would be written into the same folder",
            )


def _ansible(view: View, element: Element, sources: Mapping[str, str]) -> Iterator[str]:
    if isinstance(element, Encrypted) and (element.name in _RESERVED or element.name.startswith("ansible_")):
        yield f"{element.name!r} means something to Ansible: give another name"
    if isinstance(element, Group):
        for name in element.variables:
            if not name.isidentifier() or name in _RESERVED:
                yield f"{name!r} is no name for a variable of hosts"
    if isinstance(element, HostConfig):
        yield from _host_config(view, element, sources)


def _host_config(view: View, config: HostConfig, sources: Mapping[str, str]) -> Iterator[str]:
    stack = view.stack_of[config]
    for group in config.hosts:
        if view.stack_of[group] is not stack:
            yield f"the group {group.name!r} belongs to another stack"
    dest = config.dest.text if isinstance(config.dest, Template) else config.dest
    if not isinstance(config.dest, Template) and not dest.startswith("/"):
        yield f"dest={dest!r} is to begin with '/'"
    if "}" in dest.rpartition("/")[2]:
        yield "the last part of dest is to be a name, not a template"
    if isinstance(config.content, Agent):
        yield from agents.problems_of(view, config, config.content)
    elif config.shape == "template":
        if (problem := problem_of_template(config.content, sources)) is not None:
            yield problem
    elif (problem := problem_of(config.shape, config.content)) is not None:
        yield problem


def _terraform(view: View, element: Element) -> Iterator[str]:
    kind = kind_of(element)
    if kind is not None and isinstance(element, Resource):
        for name in kind.unsupported:
            if name in element.values:
                yield f"{name}: the Terraform provider has none. Leave that target out: App(targets=['ansible'])"
    if kind is None or isinstance(element, (Output, Encrypted, Decrypted)):
        return
    for field, text in element.texts():
        for pointer in view.pointers(text):
            stack = view.stack_of[element]
            secret = isinstance(pointer.element, (Encrypted, Decrypted))
            if secret and stack is not None and stack.terraform_secrets != "state":
                yield f"{field} would put a secret into Terraform's plan and state"
