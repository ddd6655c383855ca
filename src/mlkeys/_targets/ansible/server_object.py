# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Policies, auth methods and roles: objects of the server that no module of the collection describes yet.

They are read, compared and written by tasks of Ansible's own, with a token.
"""

from __future__ import annotations

from typing import Any

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.policy import Policy
from mlkeys._model.duration import Duration
from mlkeys._model.element import Element, Resource
from mlkeys._targets.ansible import login
from mlkeys._targets.ansible.values import Values

TASK_FILE = "tasks/server_object.yml"
ABSENT_FILE = "tasks/server_object_absent.yml"


#: Variables of the play that these tasks need.
PLAY_VARIABLES: dict[str, Any] = {
    "server_address": login.ADDRESS,
    "server_headers": {
        "X-Vault-Token": login.TOKEN,
        "X-Vault-Namespace": login.NAMESPACE,
        "X-Vault-Request": "true",
    },
}

_CALL: dict[str, Any] = {
    "url": Template("{{ server_address }}/v1/{{ server_object_path }}"),
    "headers": Template("{{ server_headers }}"),
}

#: Read, compare, write.
TASKS: list[dict[str, Any]] = [
    {
        "name": "Read what the server has",
        "ansible.builtin.uri": {**_CALL, "status_code": [200, 400, 404]},
        "register": "server_object_found",
        "check_mode": False,
        "no_log": True,
    },
    {
        "name": "Write what differs",
        "ansible.builtin.uri": {
            **_CALL,
            "method": "POST",
            "body": Template("{{ server_object }}"),
            "body_format": "json",
            "status_code": [200, 204],
        },
        "when": [
            # What can only be created is left alone once it is there.
            Template("server_object_found.status != 200 or not server_object_created_once | default(false)"),
            Template(
                "server_object | dict2items"
                " | difference(server_object_found.json.data | default({}, true) | dict2items) | length > 0"
            ),
        ],
        "changed_when": True,
        "no_log": True,
    },
]

ABSENT_TASKS: list[dict[str, Any]] = [
    TASKS[0],
    {
        "name": "Delete it",
        "ansible.builtin.uri": {**_CALL, "method": "DELETE", "status_code": [200, 204]},
        "when": Template("server_object_found.status == 200"),
        "changed_when": True,
        "no_log": True,
    },
]


def path_of(element: Element, values: Values) -> str | None:
    """The API path of an object that these tasks describe, None for other elements."""
    if isinstance(element, Resource) and not element.managed:
        return None
    if isinstance(element, Policy):
        return f"sys/policies/acl/{values.view.text(str(element.name))}"
    if isinstance(element, AppRoleAuth):
        return f"sys/auth/{values.view.text(str(element.path))}"
    if isinstance(element, AppRole):
        return f"auth/{values.view.text(str(element.backend))}/role/{values.view.text(str(element.name))}"
    return None


def created_once(element: Element) -> bool:
    """Whether a second request to create it would be refused."""
    return isinstance(element, AppRoleAuth)


def body_of(element: Element, values: Values) -> dict[str, Any]:
    """What the server shall have at that path, as it answers it itself."""
    if isinstance(element, Policy):
        # The server keeps the text as it is sent, and the lookup leaves the last newline out.
        file = f"policies/{values.view.text(element.policy_name)}.hcl"
        return {"policy": Template(f"{{{{ lookup('ansible.builtin.file', '{file}') }}}}")}
    if isinstance(element, AppRoleAuth):
        return {"type": "approle", "description": values.text(str(element.values.get("description", "")))}
    if isinstance(element, AppRole):
        body: dict[str, Any] = {
            name: value.seconds if isinstance(value, Duration) else values.plain(value)
            for name, value in element.values.items()
            if name not in ("name", "backend")
        }
        body["token_policies"] = sorted({values.view.text(name) for name in element.policies})
        return body
    raise TypeError(f"no object of the server: {type(element).__name__}")
