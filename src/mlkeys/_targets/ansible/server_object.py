# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Tasks for policies, auth methods and roles.

They read, compare and write them with `ansible.builtin.uri` and a token.
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


#: Variables of plays with these tasks.
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
        "name": "Read the object",
        "ansible.builtin.uri": {**_CALL, "status_code": [200, 400, 404]},
        "register": "server_object_found",
        "check_mode": False,
        "no_log": True,
    },
    {
        "name": "Update the object",
        "ansible.builtin.uri": {
            **_CALL,
            "method": "POST",
            "body": Template("{{ server_object }}"),
            "body_format": "json",
            "status_code": [200, 204],
        },
        "when": [
            # What can only be created is not changed once it exists.
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
        "name": "Delete the object",
        "ansible.builtin.uri": {**_CALL, "method": "DELETE", "status_code": [200, 204]},
        "when": Template("server_object_found.status == 200"),
        "changed_when": True,
        "no_log": True,
    },
]


def path_of(element: Element, values: Values) -> str | None:
    """Return the API path of an element that these tasks manage, None for other elements."""
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
    """Whether the server refuses a second request to create it."""
    return isinstance(element, AppRoleAuth)


def body_of(element: Element, values: Values) -> dict[str, Any]:
    """Return the desired object, in the form in which the server returns it."""
    if isinstance(element, Policy):
        # The server keeps the text as sent, and the lookup strips the last newline.
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
    raise TypeError(f"not an object of the server: {type(element).__name__}")
