# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Resources that Terraform has under another name, or that exist without Terraform: `moved` and `import` blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element, Resource
from mlkeys._model.stack import Stack
from mlkeys._targets.json_text import json_text
from mlkeys._targets.names import terraform_name
from mlkeys._targets.terraform.resources import kind_of

IMPORTS_FILE = "imports.tf.json"


def moved(view: View, stack: Stack, address_of: Callable[[Element], str | None]) -> list[dict[str, str]]:
    """Return the blocks for constructs with aliases, and for all below them. What has no state is not moved.

    Several former addresses of one resource make a chain: two moves to the same address are ambiguous to Terraform.
    """
    if not any(construct.aliases for construct in stack.node.walk() if isinstance(construct, (Resource, Policy))):
        return []
    found: list[dict[str, str]] = []
    taken = {address for element in view.in_stack(stack) if (address := address_of(element)) is not None}
    for element in view.in_stack(stack):
        kind = kind_of(element)
        if kind is None:
            continue
        present = element.node.path.removeprefix(f"{stack.node.path}/")
        paths = [path for path in _former_paths(element, stack) if f"{kind.type}.{terraform_name(path)}" not in taken]
        taken |= {f"{kind.type}.{terraform_name(path)}" for path in paths}
        chain = [*dict.fromkeys(paths), present]
        found += _links([f"{kind.type}.{terraform_name(path)}" for path in chain])
        if isinstance(element, TransitSecretBackend) and "disable_upsert" in element.values:
            found += _links([f"{SETTINGS_TYPE}.{settings_name(path)}" for path in chain])
    return sorted(found, key=lambda one: one["from"])


def _links(chain: Sequence[str]) -> list[dict[str, str]]:
    return [{"from": former, "to": later} for former, later in pairwise(chain)]


#: The resource with the settings for all keys of an engine.
SETTINGS_TYPE = "vault_generic_endpoint"


def settings_name(path: str) -> str:
    """Return the name of the resource with the settings for the keys of the engine at a path of the tree."""
    return terraform_name(f"{path}/config-keys")


def _former_paths(element: Element, stack: Stack) -> Iterator[str]:
    """Yield the paths that an element may have had, whichever of its scopes had another id then."""
    scopes = element.node.scopes[len(stack.node.scopes) :]
    # With a slash it is the name of a key.
    former = [
        [alias for alias in scope.aliases if "/" not in alias] if isinstance(scope, (Resource, Policy)) else []
        for scope in scopes
    ]
    present = tuple(scope.node.id for scope in scopes)
    ids = product(*([*aliases, id_] for aliases, id_ in zip(former, present, strict=True)))
    yield from ("/".join(one) for one in ids if one != present)


@dataclass(frozen=True, slots=True)
class Importable:
    """A resource that Terraform can import.

    Attributes:
        path: of the API, where the server has it if it exists.
    """

    address: str
    id: str
    path: str


def importable(view: View, stack: Stack) -> list[Importable]:
    """Return the resources of a stack that may exist already."""
    found = []
    for element in view.in_stack(stack):
        kind, place = kind_of(element), _place(view, element)
        if kind is not None and place is not None:
            name = terraform_name(element.node.path.removeprefix(f"{stack.node.path}/"))
            found.append(Importable(f"{kind.type}.{name}", *place))
    return found


def _place(view: View, element: Element) -> tuple[str, str] | None:
    """Return the id by which the provider imports an element, and its path in the API."""

    def text(value: object) -> str:
        return view.text(str(value)).strip("/")

    if isinstance(element, TransitSecretBackend):
        return text(element.path), f"sys/mounts/{text(element.path)}"
    if isinstance(element, TransitSecretBackendKey):
        path = f"{text(element.backend)}/keys/{text(element.name)}"
        return path, path
    if isinstance(element, Policy):
        return text(element.name), f"sys/policies/acl/{text(element.name)}"
    if isinstance(element, AppRoleAuth):
        return text(element.path), f"sys/auth/{text(element.path)}"
    if isinstance(element, AppRole):
        path = f"auth/{text(element.backend)}/role/{text(element.name)}"
        return path, path
    return None


def imports_text(found: Iterable[Importable]) -> str:
    """Return the file with import blocks."""
    blocks: list[dict[str, Any]] = [{"to": one.address, "id": one.id} for one in found]
    return json_text({"import": blocks})
