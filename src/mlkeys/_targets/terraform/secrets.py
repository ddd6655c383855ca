# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets in Terraform: none, unless the stack sets `terraform_secrets`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._model.element import Element
from mlkeys._model.secret import Secret
from mlkeys._model.stack import Stack
from mlkeys._targets.names import terraform_name, variable_name
from mlkeys._targets.terraform.text import escaped

#: Names that Terraform reserves, and the one that this package uses.
VERSION_VARIABLE = "ciphertexts_version"
RESERVED_VARIABLES = frozenset(
    {"count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version", VERSION_VARIABLE}
)

Block = tuple[str, str, str, dict[str, Any]]
Render = Callable[[str], str]


class Secrets:
    """The blocks of a stack with plaintext or ciphertext."""

    def __init__(self, stack: Stack, address_of: Callable[[Element], str | None]) -> None:
        self._mode = stack.terraform_secrets
        self._stack = stack
        self._address_of = address_of

    def expression(self, element: Encrypted | Decrypted) -> str:
        """Return the expression by which other blocks read the value."""
        name = self._name(element)
        if isinstance(element, Encrypted):
            return f"data.vault_transit_encrypt.{name}.ciphertext"
        return f"data.vault_transit_decrypt.{name}.plaintext"

    def blocks(self, element: Encrypted | Decrypted, render: Render) -> Iterator[Block]:
        """Yield the blocks that an element becomes."""
        if self._mode == "state":
            yield from self._in_state(element, render)
        elif isinstance(element, Encrypted) and self._is_written(element):
            yield from self._ephemeral(element, render)

    def variables(self, elements: Iterable[Element]) -> dict[str, Any]:
        """Return the variables of the stack itself."""
        if not any(self._is_written(element) for element in elements):
            return {}
        described = "Raise it to encrypt all secrets again and write their ciphertexts."
        return {VERSION_VARIABLE: {"type": "number", "default": 1, "description": described}}

    def _is_written(self, element: Element) -> bool:
        return self._mode == "ephemeral" and isinstance(element, Encrypted) and isinstance(element.plaintext, Secret)

    def _name(self, element: Element) -> str:
        return terraform_name(element.node.path.removeprefix(f"{self._stack.node.path}/"))

    def _variable(self, element: Encrypted, *, ephemeral: bool) -> Iterator[Block]:
        if isinstance(element.plaintext, Secret):
            described = escaped(repr(element.plaintext))
            body: dict[str, Any] = {"type": "string", "sensitive": True, "description": described}
            yield "variable", "", self._variable_name(element), {**body, **({"ephemeral": True} if ephemeral else {})}

    def _variable_name(self, element: Encrypted) -> str:
        return variable_name(element.name)

    def _plaintext(self, element: Encrypted, render: Render) -> str:
        if isinstance(element.plaintext, str):
            return render(element.plaintext)
        return f"${{var.{self._variable_name(element)}}}"

    def _in_state(self, element: Encrypted | Decrypted, render: Render) -> Iterator[Block]:
        key = {"backend": render(element.key.backend), "key": render(element.key.name)}
        if isinstance(element, Encrypted):
            yield from self._variable(element, ephemeral=False)
            body = {**key, "plaintext": self._plaintext(element, render)}
            context = element.name if element.key.takes_context else None
        else:
            body = {**key, "ciphertext": render(element.text)}
            context = element.effective_context()
        if context is not None:
            body["context"] = render(context)
        type_ = "vault_transit_encrypt" if isinstance(element, Encrypted) else "vault_transit_decrypt"
        yield "data", type_, self._name(element), body

    def _ephemeral(self, element: Encrypted, render: Render) -> Iterator[Block]:
        """Encrypt without a trace in plan and state, and write the ciphertext to a KV engine.

        Terraform never compares what it wrote there, so a variable controls when to write again.
        """
        name = self._name(element)
        yield from self._variable(element, ephemeral=True)
        context = f", context = base64encode({json.dumps(element.name)})" if element.key.takes_context else ""
        variable = self._variable_name(element)
        yield (
            "ephemeral",
            "vault_generic_endpoint",
            name,
            {
                "path": self._encrypt_path(element, render),
                "data_json": f"${{jsonencode({{plaintext = base64encode(var.{variable}){context}}})}}",
                "write_fields": ["ciphertext"],
            },
        )
        value = f'jsondecode(ephemeral.vault_generic_endpoint.{name}.write_data_json)["ciphertext"]'
        yield (
            "resource",
            "vault_kv_secret_v2",
            name,
            {
                "mount": render(self._stack.terraform_kv),
                "name": render(f"{self._stack.node.id}/{element.name}"),
                "data_json_wo": f"${{jsonencode({{ciphertext = {value}}})}}",
                "data_json_wo_version": f"${{var.{VERSION_VARIABLE}}}",
            },
        )

    def _encrypt_path(self, element: Encrypted, render: Render) -> str:
        """Return the path to encrypt at. It depends on the key: a plan must not use a key that does not exist."""
        address = self._address_of(element.key)
        if address is None:
            return render(f"{element.key.backend}/encrypt/{element.key.name}")
        # In the provider the id of a key is its full path.
        return f"{render(f'{element.key.backend}/encrypt/')}${{basename({address}.id)}}"
