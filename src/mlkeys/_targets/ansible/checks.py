# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems with regard to Ansible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlkeys._analysis.random_texts import random_problem
from mlkeys._analysis.view import View
from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import VARIABLES, Agent, HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element
from mlkeys._targets.ansible import ciphertexts, lost
from mlkeys._targets.ansible.bulk import KEYS_RESULT
from mlkeys._targets.ansible.many_files import SECRETS
from mlkeys._targets.names import NEW_VALUES_OF, length_problem, terraform_name
from mlkeys._targets.state_names import vars_file_of

#: Names that Ansible or the generated tasks use.
_RESERVED = (
    frozenset(
        [
            "ansible_facts",
            "environment",
            "group_names",
            "groups",
            "hosts",
            "hostvars",
            "inventory_dir",
            "inventory_hostname",
            "item",
            "lookup",
            "name",
            "namespace",
            "no_log",
            "omit",
            "play_hosts",
            "playbook_dir",
            "port",
            "q",
            "query",
            "range",
            "role_name",
            "serial",
            "tags",
            "tasks",
            "vars",
            "when",
            "floors",
            "folders_found",
            "force_keys",
            "generate",
            "left",
            "left_service",
            "moves",
            NEW_VALUES_OF,
            "outputs",
            "recorded",
        ]
    )
    | lost.NAMES
    | ciphertexts.NAMES
)

_PREFIXES = ("ansible_", KEYS_RESULT, SECRETS, ciphertexts.RESULT)


def ansible_problems(view: View, element: Element, sources: Mapping[str, str]) -> Iterator[str]:
    """Return the problems of an element."""
    if isinstance(element, Encrypted) and (element.name in _RESERVED or element.name.startswith(_PREFIXES)):
        yield f"{element.name!r} is reserved in Ansible: choose another name"
    if isinstance(element, Group):
        for name in element.variables:
            if not name.isidentifier() or name in _RESERVED or name.startswith((KEYS_RESULT, SECRETS)):
                yield f"{name!r} is not a valid name for a variable of hosts"
    yield from filter(None, _lengths(view, element))
    if isinstance(element, HostConfig):
        yield from _host_config(view, element, sources)


def _lengths(view: View, element: Element) -> Iterator[str | None]:
    """Yield the problem of each name from which the name of a file is made."""
    if isinstance(element, Policy):
        yield length_problem("the name of the policy", f"{element.policy_name}.hcl")
    elif isinstance(element, Group):
        yield length_problem("the name of the group", element.name)
    elif isinstance(element, (HostConfig, EncryptedVars)):
        suffix = ".j2" if isinstance(element, HostConfig) else ".transit.yml"
        yield length_problem("the path of the construct", terraform_name(element.node.path) + suffix)
    elif isinstance(element, TransitSecretBackend):
        # Ciphertexts of its keys are in a folder of its name.
        folder = vars_file_of(view.known_text(str(element.path)) or "", "key")
        yield length_problem("the path of the engine", folder)
    elif isinstance(element, TransitSecretBackendKey):
        yield length_problem(
            "the name of the key", f"{view.known_text(str(element.values.get('name', ''))) or ''}.transit.yml"
        )
    if isinstance(element, EncryptedVars):
        backend, key = (view.known_text(one) or "" for one in (element.key.backend, element.key.name))
        yield length_problem("the path of the key", vars_file_of(backend, key))
    if isinstance(element, HostConfig) and isinstance(element.dest, str):
        yield length_problem("dest", element.dest)


def _dest(config: HostConfig) -> Iterator[str]:
    dest = config.dest.text if isinstance(config.dest, Template) else config.dest
    if not isinstance(config.dest, Template) and not dest.startswith("/"):
        yield f"dest={dest!r} must be an absolute path"
    if "}" in dest.rpartition("/")[2]:
        yield "the last part of dest must be a name, not a template"
    if isinstance(config.dest, Template) and "playbook_dir" in dest:
        # The playbooks of rotations are those of the collection.
        yield "playbook_dir in dest is another folder in rotations, which would not find the file: use inventory_dir"


def _host_config(view: View, config: HostConfig, sources: Mapping[str, str]) -> Iterator[str]:
    # Programs without files on hosts do not need what these import.
    from mlkeys._targets.ansible import services  # noqa: PLC0415
    from mlkeys._targets.ansible.content import problem_of, problem_of_template  # noqa: PLC0415

    stack = view.stack_of[config]
    for group in config.hosts:
        if view.stack_of[group] is not stack:
            yield f"the group {group.name!r} belongs to another stack"
    yield from _dest(config)
    if isinstance(config.content, Agent):
        yield from services.problems_of(view, config, config.content)
    elif config.shape == "template":
        text = sources.get(config.content, "")
        problem = problem_of_template(config.content, sources) or random_problem(config, "the template", text)
        if problem is not None:
            yield problem
    elif (problem := problem_of(config.shape, config.content)) is not None:
        yield problem
    elif config.shape in VARIABLES:
        yield from services.problems_of_variables(view, config.content)
    yield from _ciphertexts_in(view, config)


def _ciphertexts_in(view: View, config: HostConfig) -> Iterator[str]:
    """Yield a problem for each ciphertext in a file with plaintext, which the module for such files refuses."""
    if config.delivery != "plaintext" or config.allow_ciphertext:
        return
    used = (pointer.element for _, text in config.texts() for pointer in view.pointers(text))
    for element in dict.fromkeys(used):
        if isinstance(element, Encrypted):
            yield (
                f"the file with plaintext would hold the ciphertext of {element.name}: decrypt it with key.decrypt(…), "
                "or set allow_ciphertext=True"
            )
