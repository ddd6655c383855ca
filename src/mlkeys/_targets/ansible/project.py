# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One stack as an Ansible project: texts of files under their paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import HostConfig
from mlkeys._constructs.inventory import LOCAL, Group, Template
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element
from mlkeys._model.secret import KvSecret, PromptSecret
from mlkeys._model.stack import Stack
from mlkeys._shared.policy import hcl
from mlkeys._targets.ansible import hosts, rotation, server_object
from mlkeys._targets.ansible.login import KV_COLLECTION, KV_VARIABLES
from mlkeys._targets.ansible.tasks import (
    FLOORS_FILE,
    Task,
    absent_tasks_of,
    file_of,
    floors,
    has_floor,
    is_there,
    path_template,
    reading,
    tasks_of,
)
from mlkeys._targets.ansible.values import Values, prompt_variable
from mlkeys._targets.ansible.yaml import Commented, document

OUTPUTS_FILE = "outputs.json"
#: What `mlkeys output --show-secrets` looks for in the output of a playbook.
OUTPUT_MARK = "mlkeys-outputs:"

_CONFIG = """\
[defaults]
inventory = inventory

[connection]
# Hands the arguments of modules over a pipe: none of them is written to a temporary file.
pipelining = true
"""


class AnsibleProject:
    """Collects the files of a stack."""

    def __init__(self, view: View, stack: Stack, sources: Mapping[str, str], program_folder: str) -> None:
        self._view = view
        self._stack = stack
        self._sources = sources
        self._values = Values(view, stack, program_folder)
        self._on_hosts = Values(view, stack, program_folder, on_hosts=True)
        self._elements, _ = view.in_order(view.in_stack(stack))
        self._vars_files: dict[Element, str] = {
            element: file_of(element, self._values) for element in self._elements if isinstance(element, EncryptedVars)
        }
        self._outputs = [element for element in self._elements if isinstance(element, Output)]
        self._policies = [element for element in self._elements if isinstance(element, Policy)]

    def render(self) -> dict[str, str]:
        """All files."""
        origin = f"Made by mlkeys from {self._stack.node.location_text}: change the program, not this file."
        host_files = {
            element: hosts.files_of(element, self._on_hosts, self._sources)
            for element in self._elements
            if isinstance(element, HostConfig)
        }
        files = {
            "ansible.cfg": _CONFIG,
            "requirements.yml": document(self._requirements()),
            "inventory/hosts.yml": document(self._inventory(), origin),
            "site.yml": document(self._site(host_files), origin),
            "destroy.yml": document([self._destroy()], origin),
            # Beside the inventory, so that they count for the playbooks of the collection as well.
            "inventory/group_vars/all/server.yml": document(self._server(), origin),
        }
        for group in self._groups():
            files[f"inventory/group_vars/{group.name}/vars.yml"] = document(
                self._on_hosts.data(group.variables), origin
            )
        if known := rotation.variables(self._elements, self._on_hosts, self._vars_files, host_files):
            files[rotation.FILE] = document(known, origin)
        shown = self._outputs_for(sensitive=False)
        if known := rotation.outputs_variables(self._values, shown, OUTPUTS_FILE):
            files[rotation.OUTPUTS] = document(known, origin)
        for policy in self._policies:
            name = self._view.text(str(policy.name))
            files[f"policies/{name}.hcl"] = self._view.text(hcl(policy.rules, policy.description))
        for made in host_files.values():
            files |= {file.template: file.text for file in made}
        if any(server_object.path_of(element, self._values) for element in self._elements):
            files[server_object.TASK_FILE] = document(server_object.TASKS)
            files[server_object.ABSENT_FILE] = document(server_object.ABSENT_TASKS)
        if any(output.sensitive for output in self._outputs):
            files["outputs.yml"] = document([self._sensitive_outputs()], origin)
        return files

    def _requirements(self) -> Any:
        collections = [{"name": "mlkeys.transit", "version": ">=0.1.0"}]
        if self._reads_kv():
            collections.append({"name": KV_COLLECTION, "version": ">=6.2.0"})
        return {"collections": collections}

    def _reads_kv(self) -> bool:
        return any(isinstance(entry.plaintext, KvSecret) for entry in self._entries())

    def _entries(self) -> list[Encrypted]:
        return [element for element in self._view.in_stack(self._stack) if isinstance(element, Encrypted)]

    def _groups(self) -> list[Group]:
        return [element for element in self._view.in_stack(self._stack) if isinstance(element, Group)]

    def _inventory(self) -> Any:
        groups = {
            group.name: {"hosts": {name: self._on_hosts.data(given) for name, given in group.hosts.items()}}
            for group in self._groups()
        }
        inventory: dict[str, Any] = {"hosts": {"localhost": LOCAL}}
        return {"all": {**inventory, "children": groups} if groups else inventory}

    def _server(self) -> Any:
        """Where the server is, for modules and lookups; a variable that is not there leaves it to the environment."""
        given = {
            "ansible_hashi_vault_url": self._stack.url,
            "ansible_hashi_vault_namespace": self._stack.namespace,
        }
        return {name: self._values.text(value) for name, value in given.items() if value is not None}

    def _head(self, name: str) -> Task:
        head: Task = {"name": name, "hosts": "localhost", "gather_facts": False}
        if any(server_object.path_of(element, self._values) for element in self._elements):
            head["vars"] = dict(server_object.PLAY_VARIABLES)
        return head

    def _site(self, host_files: Mapping[HostConfig, Any]) -> list[Any]:
        used = self._used_here(self._outputs_for(sensitive=False))
        tasks: list[Any] = []
        for element in self._elements:
            comment = f"{element.node.path} {element.node.location_text}"
            tasks += [Commented(comment, task) for task in tasks_of(element, self._values)]
            if element in used:
                tasks.append(reading(self._vars_files[element]))
        play = self._head(f"Bring the server to what stack {self._stack.node.id} describes")
        if self._reads_kv():
            play["vars"] = {**play.get("vars", {}), **KV_VARIABLES}
        if any(has_floor(element, self._values) for element in self._elements):
            play["vars"] = {**play.get("vars", {}), **floors()}
        placeholders = {
            entry.name: f"(new ciphertext of {entry.name})"
            for element in used
            if isinstance(element, EncryptedVars)
            for entry in element.entries
        }
        if placeholders:
            play["vars"] = {**play.get("vars", {}), **placeholders}
        if prompts := self._prompts():
            play["vars_prompt"] = prompts
        play["tasks"] = [*tasks, *self._writing_outputs()]
        plays = hosts.plays_of(self._elements)
        return [play, *(hosts.play(one, self._on_hosts, self._vars_files, host_files) for one in plays)]

    def _prompts(self) -> list[Task]:
        return [
            # An answer may hold what looks like a template.
            {"name": prompt_variable(entry), "prompt": entry.plaintext.question, "private": True, "unsafe": True}
            for entry in self._entries()
            if isinstance(entry.plaintext, PromptSecret)
        ]

    def _outputs_for(self, *, sensitive: bool) -> list[Output]:
        return [output for output in self._outputs if output.sensitive == sensitive]

    def _used_here(self, outputs: Iterable[Output]) -> list[Element]:
        """The files of ciphertext that the controller's own tasks read again, in their order."""
        readers: list[Element] = [
            element
            for element in self._view.in_stack(self._stack)
            if not isinstance(element, (Output, HostConfig, Group, Decrypted))
        ]
        found: set[Element] = set()
        for element in (*readers, *outputs):
            for _, text in element.texts():
                found |= {file for pointer in self._view.pointers(text) for file in self._file_behind(pointer.element)}
        # A set has no order that stays the same.
        return [element for element in self._elements if element in found]

    def _file_behind(self, element: Element) -> Iterable[Element]:
        source = element.source() if isinstance(element, Decrypted) else element
        if isinstance(source, Encrypted) and isinstance(source.node.scope, EncryptedVars):
            yield source.node.scope

    def _writing_outputs(self) -> list[Any]:
        shown = self._outputs_for(sensitive=False)
        if not shown:
            return []
        text = "outputs | to_nice_json(sort_keys=true)"
        written = f"lookup('ansible.builtin.file', playbook_dir ~ '/{OUTPUTS_FILE}')"
        task: Task = {
            "name": "Outputs",
            "ansible.builtin.copy": {
                "content": Template(f"{{{{ {text} }}}}\n"),
                "dest": path_template(OUTPUTS_FILE),
                "mode": "0644",
            },
            # To find that nothing is to be done, the module takes a quarter of the time of a run that changes nothing.
            "when": Template(f"{is_there(OUTPUTS_FILE, negated=True)} or {written} != {text}"),
            "vars": {"outputs": self._output_values(shown)},
        }
        return [task]

    def _output_values(self, outputs: Iterable[Output]) -> dict[str, Any]:
        return {
            output.name: Commented(f"{output.node.path} {output.node.location_text}", self._values.data(output.value))
            for output in outputs
        }

    def _sensitive_outputs(self) -> Task:
        """A playbook of its own, run only when somebody asks to see secrets: nothing of it is ever written."""
        outputs = self._outputs_for(sensitive=True)
        shown: Task = {
            "name": "Show",
            "ansible.builtin.debug": {"msg": Template(f"{OUTPUT_MARK}{{{{ outputs | to_json | b64encode }}}}")},
            "vars": {"outputs": self._output_values(outputs)},
        }
        play = self._head(f"Show the sensitive outputs of stack {self._stack.node.id}")
        files = sorted(self._vars_files[element] for element in self._used_here(outputs))
        return {**play, "tasks": [*map(reading, files), shown]}

    def _destroy(self) -> Task:
        tasks: list[Any] = [
            Commented(f"{element.node.path} {element.node.location_text}", task)
            for element in reversed(self._elements)
            for task in absent_tasks_of(element, self._values)
        ]
        records: list[Task] = [
            {"name": name, "ansible.builtin.file": {"path": path_template(file), "state": "absent"}}
            for name, file in (("Outputs", OUTPUTS_FILE), ("Floors of rotations", FLOORS_FILE))
        ]
        play = self._head(f"Take away what stack {self._stack.node.id} describes")
        return {**play, "tasks": [*tasks, *records]}
