# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Tasks of the controller, which create, change and delete elements on the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.material import KeyMaterial
from mlkeys._constructs.policy import Policy
from mlkeys._constructs.raw import AnsibleTask
from mlkeys._model.element import Element, Resource
from mlkeys._shared._attributes.attribute import ON_ONLY
from mlkeys._shared._attributes.key import KEY_ATTRIBUTES
from mlkeys._targets.ansible import ciphertexts, lost
from mlkeys._targets.ansible.ciphertexts import is_there, path_expression
from mlkeys._targets.ansible.jinja import literal
from mlkeys._targets.ansible.values import Values
from mlkeys._targets.overrides import overridden

Task = dict[str, Any]

BACKEND = "mlkeys.transit.vault_transit_backend"
KEY = "mlkeys.transit.vault_transit_key"
KEY_INFO = "mlkeys.transit.vault_transit_key_info"
KEYS = "mlkeys.transit.vault_transit_keys"
POLICY = "mlkeys.transit.vault_transit_policy"
APPROLE = "mlkeys.transit.vault_transit_approle"

#: Tasks that must run before ciphertexts move to another key.
KEYS_ONLY = {"tags": ["keys"]}


def comment_of(element: Element) -> str:
    """Return the comment that says which construct made something, and where."""
    return f"{element.node.path} {element.node.location_text}"


def tasks_of(element: Element, values: Values) -> Iterator[Task]:
    """Yield the tasks that create or change an element."""
    if isinstance(element, Resource) and not element.managed:
        return
    if isinstance(element, TransitSecretBackend):
        yield {**_resource("Engine", BACKEND, element, values), "register": values.register(element), **KEYS_ONLY}
    elif isinstance(element, TransitSecretCacheConfig):
        yield {**_cache(element, values), **unless_new(element.values["backend"], values)}
    elif isinstance(element, EncryptedVars):
        key = _key_state(element.key, values)
        yield from lost.refusing(element, values, key)
        yield from ciphertexts.encrypting(element, values, key)
    elif isinstance(element, AnsibleTask):
        yield {"name": f"Task {values.name(element)}", **values.raw(element.data)}
    else:
        yield from _access(element, values)


def _access(element: Element, values: Values) -> Iterator[Task]:
    """Yield the task of a policy, an auth method or a role."""
    if isinstance(element, Policy):
        yield {"name": f"Policy {values.name(element)}", POLICY: _policy(element, values)}
    elif isinstance(element, AppRoleAuth):
        yield _resource("Auth method", APPROLE, element, values)
    elif isinstance(element, AppRole):
        yield _role(element, values)


def _policy(element: Policy, values: Values) -> Task:
    name = values.view.text(str(element.name))
    # The lookup strips the last newline, and the module adds it again.
    text = f"lookup('ansible.builtin.file', {literal(f'policies/{name}.hcl')})"
    return {
        "name": name,
        "managed_by": ciphertexts.manager(values.stack),
        "former_managers": ciphertexts.former_managers(),
        "rules": Template(f"{{{{ {text} }}}}"),
    }


def _role(element: AppRole, values: Values) -> Task:
    path = values.view.text(str(element.backend))
    methods = values.view.of_kind(values.stack, AppRoleAuth)
    made_here = any(values.view.text(str(method.path)) == path for method in methods)
    options: Task = {"name": values.plain(element.values["name"]), "path": values.plain(element.values["backend"])}
    if not made_here:
        # Only what the program names is made.
        options["enable"] = False
    options |= {name: values.plain(value) for name, value in element.values.items() if name not in ("name", "backend")}
    options["token_policies"] = sorted({values.view.text(name) for name in element.policies})
    return {"name": f"AppRole {values.name(element)}", APPROLE: overridden(element, "ansible", options, values.data)}


def _resource(word: str, module: str, element: Resource, values: Values) -> Task:
    options = {name: values.plain(value) for name, value in element.values.items()}
    return {"name": f"{word} {values.name(element)}", module: overridden(element, "ansible", options, values.data)}


def _protected(key: TransitSecretBackendKey) -> Task:
    """Return options of a key that the program does not set, but which must not change unnoticed."""
    return {
        attribute.name: attribute.default
        for attribute in KEY_ATTRIBUTES
        if attribute.change == ON_ONLY and attribute.name not in key.values
    }


def has_floor(element: Element, values: Values) -> bool:
    """Whether rotations of this project raise the floor (`min_decryption_version`) of a key."""
    if not isinstance(element, TransitSecretBackendKey) or not is_made_here(element, values):
        return False
    return element in values.keys_of_files


def floors(file: str) -> Task:
    """Return the variable of a play with the floors of keys after rotations."""
    text = f"lookup('ansible.builtin.file', {path_expression(file)})"
    return {"floors": Template(f"{{{{ {text} | from_json if {is_there(file)} else {{}} }}}}")}


def key_options(key: TransitSecretBackendKey, values: Values) -> Task:
    """Return the options of a key."""
    options = {name: values.plain(value) for name, value in key.values.items()} | _protected(key)
    if key.material is not None:
        options["import"] = _imported(key.material, values)
    return overridden(key, "ansible", options, values.data)


def _imported(material: KeyMaterial, values: Values) -> Task:
    """Return the option with the material of a key, of which the project holds only the place."""
    given = {
        "content": values.material(material.source),
        "origin": repr(material.source),
        "encoding": material.encoding,
        "passphrase": None if material.passphrase is None else values.material(material.passphrase),
        "version": material.version if material.version != 1 else None,
        "allow_rotation": material.allow_rotation,
        "complete": True if material.complete else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def reading_key(key: KeyResource, values: Values) -> Task:
    """Return the task that reads a key which another stack makes, or which exists already."""
    return {
        "name": f"Read key {values.name(key)}",
        KEY_INFO: {"name": values.plain(key.values["name"]), "backend": values.plain(key.values["backend"])},
        "register": values.register(key),
        # It may not exist yet.
        "ignore_errors": Template("{{ ansible_check_mode }}"),
    }


def unless_new(backend: object, values: Values) -> Task:
    """Return the condition that skips a task in check mode when the engine does not exist yet."""
    for pointer in values.view.pointers(str(backend)):
        if isinstance(pointer.element, TransitSecretBackend) and is_made_here(pointer.element, values):
            return {"when": exists(pointer.element, values)}
    return {}


def is_made_here(element: Resource, values: Values) -> bool:
    return element.managed and values.view.stack_of[element] is values.stack


def exists(engine: TransitSecretBackend, values: Values) -> Template:
    """Return the condition that an engine exists when check mode comes to what needs it."""
    return Template(f"not ansible_check_mode or {values.register(engine)}.diff.before | default({{}}) | length > 0")


def existed(result: str) -> Template:
    """Return the same condition for the result of a key. A report counts what it skips as created."""
    return Template(f"not ansible_check_mode or {was_there(result)}")


def existed_or_makes_nothing(result: str) -> Template:
    """Return the same condition for a task that makes nothing under a new key. A report does not count it."""
    return Template(f"{was_there(result)} or not ansible_check_mode")


def was_there(result: str) -> str:
    """Return the condition that a key existed before the run."""
    return f"{result}.action | default('created') != 'created'"


def _key_state(key: KeyResource, values: Values) -> ciphertexts.KeyState:
    """Return what is known of a key when its ciphertexts are written. Check mode creates no key either."""
    if not is_made_here(key, values):
        return ciphertexts.KeyState([], [], "true")
    result = values.key_result(key)
    return ciphertexts.KeyState([existed(result)], [existed_or_makes_nothing(result)], was_there(result))


def _cache(element: TransitSecretCacheConfig, values: Values) -> Task:
    options: Task = {"path": values.plain(element.values["backend"]), "cache_size": element.values["size"]}
    for pointer in values.view.pointers(str(element.values["backend"])):
        # The module is that of the engine, and would set a missing option to its default.
        if pointer.element.known("disable_upsert") is not None:
            options["disable_upsert"] = pointer.element.known("disable_upsert")
    return {"name": f"Cache {values.name(element)}", BACKEND: overridden(element, "ansible", options, values.data)}


def absent_tasks_of(element: Element, values: Values) -> Iterator[Task]:
    """Yield the tasks that delete an element."""
    if isinstance(element, Resource) and not element.managed:
        return
    if isinstance(element, TransitSecretBackend):
        options: dict[str, Any] = {"path": values.plain(element.values["path"]), "state": "absent"}
        yield {"name": f"Engine {values.name(element)}", BACKEND: options}
    elif isinstance(element, TransitSecretBackendKey):
        options = {name: values.plain(element.values[name]) for name in ("name", "backend")}
        force = Template("{{ force_keys | default(false) }}")
        yield {"name": f"Key {values.name(element)}", KEY: {**options, "state": "absent", "force": force}}
    elif isinstance(element, EncryptedVars):
        yield ciphertexts.removal(f"Ciphertexts {values.name(element)}", ciphertexts.file_of(element, values))
    elif isinstance(element, Policy):
        options = {"name": values.view.text(str(element.name)), "state": "absent"}
        yield {"name": f"Policy {values.name(element)}", POLICY: options}
    elif isinstance(element, AppRoleAuth):
        options = {"path": values.plain(element.values["path"]), "state": "absent"}
        yield {"name": f"Auth method {values.name(element)}", APPROLE: options}
    elif isinstance(element, AppRole):
        options = {"name": values.plain(element.values["name"]), "path": values.plain(element.values["backend"])}
        yield {"name": f"AppRole {values.name(element)}", APPROLE: {**options, "state": "absent"}}
