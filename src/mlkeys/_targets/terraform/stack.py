# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A stack as Terraform JSON."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from mlkeys._analysis.view import Pointer, View
from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.output import Output
from mlkeys._constructs.raw import TerraformBlock
from mlkeys._constructs.signing import Signature
from mlkeys._errors import AppInvalid, Problem
from mlkeys._model.data import mapped
from mlkeys._model.element import Element, Resource
from mlkeys._model.marks import Target, has_marks, parts
from mlkeys._model.stack import Stack
from mlkeys._targets.json_text import json_text
from mlkeys._targets.names import terraform_name
from mlkeys._targets.overrides import overridden
from mlkeys._targets.terraform import login, remote
from mlkeys._targets.terraform.blocks import ConflictError, Json, merge, with_defaults
from mlkeys._targets.terraform.dependencies import Dependencies
from mlkeys._targets.terraform.floors import Floors
from mlkeys._targets.terraform.former import SETTINGS_TYPE, moved, settings_name
from mlkeys._targets.terraform.left_out import left_out, omission
from mlkeys._targets.terraform.owner import Owner
from mlkeys._targets.terraform.resources import body_of, kind_of
from mlkeys._targets.terraform.secrets import Secrets
from mlkeys._targets.terraform.signatures import body_of_signature, code_of, type_of
from mlkeys._targets.terraform.text import Expression, escaped, template, unescaped

PROVIDER_SOURCE = "registry.terraform.io/hashicorp/vault"
# The first version with ephemeral endpoints; 6 may change anything.
PROVIDER_VERSION = ">= 5.9.0, < 6.0.0"


def terraform_version(stack: Stack) -> str:
    """Return the versions of Terraform that a stack requires."""
    return ">= 1.11.0" if stack.terraform_secrets == "ephemeral" else ">= 1.5.0"


class TerraformStack:
    """The Terraform configuration of a stack."""

    def __init__(self, view: View, stack: Stack, program_folder: str = "../../..") -> None:
        self._view = view
        self._stack = stack
        self._owner = Owner(view, stack, program_folder)
        self._floors = Floors(view, stack, program_folder)
        self._blocks: Json = {}
        self._secrets = Secrets(stack, self._address_of)
        self._dependencies = Dependencies(view, f"{stack.node.path}/", self._address_of)
        #: Addresses of resources by the paths of their constructs.
        self.addresses: dict[str, str] = {}
        self.omitted: list[str] = []
        #: Texts with references, as Terraform has them.
        self._texts: dict[str, str] = {}
        #: Stacks whose states it reads, in the order of the program.
        self._read: dict[Stack, None] = {}

    def render(self) -> Json:
        """Return the configuration."""
        for element in self._view.in_stack(self._stack):
            self._add(element)
        if variables := self._secrets.variables(self._view.in_stack(self._stack)):
            merge(self._blocks, {"variable": variables})
        if variables := login.variables(self._stack):
            merge(self._blocks, {"variable": variables})
        if blocks := moved(self._view, self._stack, self._address_of):
            merge(self._blocks, {"moved": blocks})
        merge(self._blocks, self._dependencies.blocks())
        merge(self._blocks, self._owner.blocks())
        for name, pointer in remote.exported(self._view, self._stack):
            body: Json = {"value": f"${{{self._code(pointer)}}}"}
            # Terraform must not show it in another stack either.
            merge(self._blocks, {"output": {name: {**body, **({"sensitive": True} if pointer.sensitive else {})}}})
        for owner in self._read:
            merge(self._blocks, {"data": remote.data_block(self._view, owner)})
        omitted = [f"{part.kind} {part.name}" for part in left_out(self._view, self._stack)]
        origin: Json = {"path": self._stack.node.path, "at": self._stack.node.location_text}
        defaults: Json = {
            "//": {**origin, **({"left_out": omitted} if omitted else {})},
            "terraform": {
                "required_version": terraform_version(self._stack),
                "required_providers": {"vault": {"source": PROVIDER_SOURCE, "version": PROVIDER_VERSION}},
            },
            "provider": {"vault": []},
        }
        configuration = with_defaults(self._blocks, defaults)
        providers = configuration["provider"]["vault"]
        own: Json = next((body for body in providers if "alias" not in body), {})
        aliased = [body for body in providers if "alias" in body]
        configuration["provider"]["vault"] = [{**self._provider(), **own}, *aliased]
        return configuration

    def _provider(self) -> Json:
        given = {"address": self._stack.url, "namespace": self._stack.namespace}
        known: Json = {name: escaped(value) for name, value in given.items() if value is not None}
        return {**known, **login.provider(self._stack)}

    def _add(self, element: Element) -> None:
        if isinstance(element, Output):
            self._add_output(element)
        elif isinstance(element, TerraformBlock):
            self._add_blocks(element)
        elif isinstance(element, (Encrypted, Decrypted)):
            for group, type_, name, body in self._secrets.blocks(element, self._render):
                self._put(element, group, type_, name, body)
        elif isinstance(element, Signature):
            body = body_of_signature(element, self._view, self._key_name(element.key), self._render)
            self._put(element, "data", type_of(element), terraform_name(self._name(element)), body)
        elif (kind := kind_of(element)) is not None:
            body = self._owner.named(body_of(self._view, element, kind, self._render))
            self._finish(element, body)
            name = terraform_name(self._name(element))
            self._put(element, "resource", kind.type, name, body)
            self.addresses[element.node.path] = f"{kind.type}.{name}"
            if isinstance(element, TransitSecretBackend) and "disable_upsert" in element.values:
                self._add_key_settings(element)

    def _add_blocks(self, element: TerraformBlock) -> None:
        try:
            merge(self._blocks, self._render_data(element.data))
        except ConflictError as conflict:
            message = f"something else of the stack sets {conflict} as well, to another value"
            raise AppInvalid((Problem(element.node.path, element.node.location_text, message),)) from None

    def _finish(self, element: Element, body: Json) -> None:
        """Add what any resource may have: lifecycle, dependencies, overrides."""
        if isinstance(element, TransitSecretBackend) and self._view.known_text(element.path) in self._guarded:
            body["lifecycle"] = {"prevent_destroy": True}
        if addresses := self._dependencies.of(element):
            body["depends_on"] = addresses
        if isinstance(element, Resource):
            overridden(element, "terraform", body, self._render_data)
        if isinstance(element, TransitSecretBackendKey):
            body |= self._floors.kept(element, body)

    @cached_property
    def _guarded(self) -> frozenset[str | None]:
        """Paths of engines with protected keys. Unmounting an engine destroys its keys, even protected ones."""
        keys = self._view.of_kind(self._stack, TransitSecretBackendKey)
        texts = {str(key.values["backend"]) for key in keys if key.protected}
        return frozenset(self._view.known_text(text) for text in texts)

    def _add_key_settings(self, backend: TransitSecretBackend) -> None:
        body: Json = {
            "path": self._render(f"{backend.path}/config/keys"),
            "data_json": json.dumps({"disable_upsert": backend.values["disable_upsert"]}),
            "disable_delete": True,
            "ignore_absent_fields": True,
        }
        self._put(backend, "resource", SETTINGS_TYPE, settings_name(self._name(backend)), body)

    def _add_output(self, output: Output) -> None:
        if omission(self._view, self._stack, output):
            self.omitted.append(output.name)
            return
        body: Json = {"value": self._render(output.value) if isinstance(output.value, str) else output.value}
        if output.description:
            body["description"] = escaped(output.description)
        if output.sensitive:
            body["sensitive"] = True
        merge(self._blocks, {"output": {terraform_name(output.name): body}})

    def _put(self, element: Element, group: str, type_: str, name: str, body: Json) -> None:
        origin = {"//": {"path": element.node.path, "at": element.node.location_text}}
        entry = {name: {**origin, **body}}
        merge(self._blocks, {group: {type_: entry} if type_ else entry})

    def _key_name(self, key: Element) -> str:
        """Return a template for the name of a key. It depends on its resource: no plan uses a missing key."""
        address = self._address_of(key)
        # In the provider the id of a key is its full path.
        return self._render(str(key.known("name"))) if address is None else f"${{basename({address}.id)}}"

    def _name(self, element: Element) -> str:
        return element.node.path.removeprefix(f"{self._stack.node.path}/")

    def _address_of(self, element: Element) -> str | None:
        kind = kind_of(element)
        if kind is None or self._view.stack_of[element] is not self._stack:
            return None
        return f"{kind.type}.{terraform_name(self._name(element))}"

    def _render_data(self, data: Any) -> Any:
        """Render references in plain data whose strings are templates already."""
        return mapped(data, lambda text: unescaped(self._render(text)))

    def _render(self, text: str) -> str:
        text = str(text)
        if text not in self._texts:
            made = template(parts(text), self._meaning)
            if not has_marks(text):
                return made
            self._texts[text] = made
        return self._texts[text]

    def _meaning(self, target: Target) -> str | Expression:
        pointer = self._view.pointer(target)
        if pointer is None:
            raise ValueError(f"{target.path} has no {target.attribute}")
        owner = self._view.stack_of[pointer.element]
        if pointer.runtime and owner is not None and owner is not self._stack:
            self._read[owner] = None
            return Expression(remote.expression(pointer, owner))
        code = self._code(pointer)
        return self._view.text(str(pointer.element.known(pointer.attribute))) if code is None else Expression(code)

    def _code(self, pointer: Pointer) -> str | None:
        """Return an expression for a value of this stack, None where Terraform makes nothing that has it."""
        element, attribute = pointer.element, pointer.attribute
        if isinstance(element, (Encrypted, Decrypted)):
            return self._secrets.expression(element)
        if isinstance(element, Signature):
            return code_of(element, terraform_name(self._name(element)))
        address, kind = self._address_of(element), kind_of(element)
        if address is not None and kind is not None:
            return f"{address}.{kind.attributes.get(attribute, attribute)}"
        return None


def text_of(configuration: Json) -> str:
    """Return the text of a configuration."""
    return json_text(configuration)
