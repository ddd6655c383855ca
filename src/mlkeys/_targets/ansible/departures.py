# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What deletes: playbooks for what left a program or has another name now, and tasks that destroy what it has.

The commands of `mlkeys` give them what that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlkeys._constructs.inventory import Template
from mlkeys._model.element import Element
from mlkeys._targets.ansible.ciphertexts import FILES
from mlkeys._targets.ansible.jinja import literal
from mlkeys._targets.ansible.services import ROLE
from mlkeys._targets.ansible.tasks import KEY, KEYS, Task, comment_of
from mlkeys._targets.ansible.yaml import Commented

FILE = "left.yml"

_APPROLE = "mlkeys.transit.vault_transit_approle"
_BACKEND = "mlkeys.transit.vault_transit_backend"
_KEY = "mlkeys.transit.vault_transit_key"
_VARS = "mlkeys.transit.vault_transit_vars"
_POLICY = "mlkeys.transit.vault_transit_policy"


MOVE_FILE = "move.yml"


def moving(stack: str) -> list[dict[str, Any]]:
    """Return the playbook that moves ciphertexts to another key, or to another name. Nothing is on disk."""
    item = {name: Template(f"{{{{ item.{name} }}}}") for name in ("file", "backend", "key", "former_file")}
    found = (
        "dict(item.names | zip(query('mlkeys.transit.vault_transit', item.terms, key=item.former_key, "
        "backend=item.former_backend)))"
    )
    hidden = {"loop": Template("{{ moves }}"), "loop_control": {"label": Template("{{ item.key }}")}, "no_log": True}
    write = {
        "name": "Encrypt with the new key",
        _VARS: {
            "path": item["file"],
            "backend": item["backend"],
            "key": item["key"],
            "mode": "0644",
            "secrets": Template(f"{{{{ {found} }}}}"),
            "keep": Template("{{ item.others }}"),
        },
        **hidden,
    }
    remove = {
        "name": "Remove the former ciphertexts",
        _VARS: {
            "path": item["former_file"],
            "backend": Template("{{ item.former_backend }}"),
            "key": Template("{{ item.former_key }}"),
            "purge": True,
            "keep": Template("{{ item.keep }}"),
        },
        **hidden,
    }
    return [
        {
            "name": f"Move ciphertexts of stack {stack}",
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [write, remove],
        }
    ]


def _each(name: str, module: str, options: dict[str, Any], kind: str, label: str = "{{ item }}") -> dict[str, Any]:
    return {
        "name": name,
        module: options,
        "loop": Template(f"{{{{ left['{kind}'] }}}}"),
        "loop_control": {"label": Template(label)},
    }


def plays(stack: str) -> list[dict[str, Any]]:
    """Return the playbook for a stack."""
    item = Template("{{ item }}")
    named = Template("{{ item.name }}")
    where = Template("{{ item.backend }}")
    manager = Template("{{ left.manager }}")
    force = Template("{{ force_keys | default(false) }}")
    tasks = [
        _each("AppRoles", _APPROLE, {"name": named, "path": Template("{{ item.path }}"), "state": "absent"}, "roles",
              "{{ item.path }}/{{ item.name }}"),
        _each("Policies", _POLICY, {"name": item, "managed_by": manager, "state": "absent"}, "policies"),
        _each("Files of ciphertexts", FILES, {"files": [{"path": item, "state": "absent"}]}, "vars_files"),
        _each("Keys", _KEY, {"name": named, "backend": where, "state": "absent", "force": force}, "keys",
              "{{ item.backend }}/{{ item.name }}"),
        _each("Engines", _BACKEND, {"path": item, "state": "absent"}, "engines"),
    ]  # fmt: skip
    server = {
        "name": f"Take from the server what left stack {stack}",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": tasks,
    }
    return [server, *_on_hosts(stack)]


def _on_hosts(stack: str) -> list[dict[str, Any]]:
    files = {
        "name": f"Take from hosts what left stack {stack}",
        "hosts": "left_hosts",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Files with plaintext",
                FILES: {"files": [{"path": Template("{{ item }}"), "state": "absent"}]},
                "loop": Template("{{ left['files'][inventory_hostname] }}"),
                # Their diff would show the plaintext.
                "diff": False,
            }
        ],
    }
    services = {
        "name": f"Take from hosts the services that left stack {stack}",
        "hosts": "left_services",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Services",
                "ansible.builtin.include_role": {"name": ROLE, "apply": {"become": True}},
                "vars": {
                    **{
                        f"vault_transit_host_{name}": Template(f"{{{{ left_service.0.{name} }}}}")
                        for name in ("approle", "approle_path")
                    },
                    # As an absent one for all who read the file without evaluating it.
                    "vault_transit_host_services": [{"name": Template("{{ left_service.1.name }}"), "state": "absent"}],
                },
                "loop": Template("{{ left['services'][inventory_hostname] | subelements('services') }}"),
                "loop_control": {"loop_var": "left_service", "label": Template("{{ left_service.1.name }}")},
            }
        ],
    }
    return [files, services]


def absent_keys_task(found: Sequence[tuple[Element, Task]], places: Sequence[str]) -> Task:
    """Return the task that deletes many keys, but for those that the program only found."""
    entries = [Commented(comment_of(key), task[KEY]) for key, task in found]
    own = "places | select('in', destroyed.get('keys', places)) | list"
    chosen = "dict(places | zip(listed)) | dict2items | selectattr('key', 'in', own) | map(attribute='value') | list"
    return {
        "name": f"{len(found)} keys",
        KEYS: {"keys": Template(f"{{{{ {chosen} }}}}")},
        "when": Template("own | length > 0"),
        "vars": {"places": [*places], "listed": entries, "own": Template(f"{{{{ {own} }}}}")},
    }


def is_own(kind: str, name: str) -> Template:
    """Return the condition that a program made an object: it does not delete what it found."""
    return Template(f"{literal(name)} in destroyed.get('{kind}', [{literal(name)}])")


def own_alone(task: Task, places: Sequence[tuple[str, str] | None]) -> Task:
    """Return the task that deletes many objects, without those that the program found."""
    if not all(places):
        return task
    items = [
        Commented(item.comment, {**item.value, "own": _own(*one)})
        for item, one in zip(task["loop"], places, strict=True)
        if one is not None
    ]
    return {**task, "loop": items, "when": Template("item.own")}


def _own(kind: str, name: str) -> Template:
    return Template(f"{{{{ {is_own(kind, name).text} }}}}")
