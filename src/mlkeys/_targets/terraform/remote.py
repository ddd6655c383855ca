# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Values of other stacks: an output of the stack that makes them, which others read from its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlkeys._analysis.view import Pointer, View
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.raw import TerraformBlock
from mlkeys._constructs.signing import Signature
from mlkeys._model.data import mapped
from mlkeys._model.stack import Stack
from mlkeys._targets.names import terraform_name
from mlkeys._targets.terraform.resources import kind_of

_DATA = "terraform_remote_state"
_STATE = "terraform.tfstate"
#: Settings that backends cannot do without, by type.
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "s3": ("bucket", "key"),
    "gcs": ("bucket",),
    "azurerm": ("container_name", "key"),
    "http": ("address",),
    "consul": ("path",),
    "kubernetes": ("secret_suffix",),
    "remote": ("organization", "workspaces"),
}


def is_in_state(pointer: Pointer, owner: Stack) -> bool:
    """Whether the state of the stack that makes a value has it."""
    if isinstance(pointer.element, (Encrypted, Decrypted)):
        return owner.terraform_secrets == "state"
    return isinstance(pointer.element, Signature) or kind_of(pointer.element) is not None


def exported(view: View, stack: Stack) -> Iterator[tuple[str, Pointer]]:
    """Yield what a stack puts out for others, with the names of its outputs."""
    for pointer in view.used_elsewhere.get(stack, ()):
        if is_in_state(pointer, stack):
            yield _name(pointer, stack), pointer


def expression(pointer: Pointer, owner: Stack) -> str:
    """Return the expression by which another stack reads a value."""
    return f"data.{_DATA}.{terraform_name(owner.node.id)}.outputs.{_name(pointer, owner)}"


def data_block(view: View, owner: Stack) -> dict[str, Any]:
    """Return the block that reads the state of a stack, where its own blocks say that it is."""
    kind, given = _backend(view, owner)
    config = mapped(given, view.text)
    if kind == "local":
        path = str(config.get("path", _STATE))
        config = {**config, "path": path if path.startswith("/") else f"${{path.module}}/../{owner.node.id}/{path}"}
    return {_DATA: {terraform_name(owner.node.id): {"backend": kind, "config": config}}}


def backends(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the types of the backends that blocks set, with their settings."""
    for part in _objects(data.get("terraform")):
        for entry in _objects(part.get("backend")):
            for kind, bodies in entry.items():
                yield str(kind), next(iter(_objects(bodies)), {})
        for body in _objects(part.get("cloud")):
            names = ("hostname", "organization", "workspaces")
            yield "remote", {name: body[name] for name in names if name in body}


def partial_backend(view: View, stack: Stack) -> str:
    """Return what the backend of a stack lacks, for a message; empty if it lacks nothing, or no other stack reads it.

    Terraform completes the backend of a stack when it is initialised, and not what other stacks read.
    """
    kind, config = _backend(view, stack)
    missing = [name for name in _REQUIRED.get(kind, ()) if name not in config]
    return f"{kind!r} lacks {', '.join(missing)}" if missing and view.used_elsewhere.get(stack) else ""


def is_known_elsewhere(view: View, pointer: Pointer, stack: Stack | None) -> bool:
    """Whether a stack reads a value from the state of another one."""
    owner = view.stack_of[pointer.element]
    return owner is not None and owner is not stack and is_in_state(pointer, owner)


def _backend(view: View, stack: Stack) -> tuple[str, Mapping[str, Any]]:
    """Return the type of a stack's backend and its settings."""
    found = [one for block in view.of_kind(stack, TerraformBlock) for one in backends(block.data)]
    if not found:
        return "local", {}
    return found[0][0], {name: value for _, config in found for name, value in config.items()}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a block, of which there may be one or a list."""
    return [one for one in _listed(value) if isinstance(one, Mapping)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _name(pointer: Pointer, owner: Stack) -> str:
    # The colon is in no name of an output, which therefore cannot be the same.
    return terraform_name(f"{pointer.element.node.path.removeprefix(f'{owner.node.path}/')}:{pointer.attribute}")
