# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The provider's resource for each construct, and its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mlkeys._analysis.view import Pointer, View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.policy import Policy
from mlkeys._model.attributes import Value
from mlkeys._model.duration import Duration
from mlkeys._model.element import Element, Resource
from mlkeys._model.stack import Stack
from mlkeys._shared.policy import hcl
from mlkeys._targets.policies import rules_of

#: Renders a text with references as a template.
Render = Callable[[str], str]


class Kind(NamedTuple):
    """A type of resource.

    Attributes:
        attributes: names of its arguments by our attribute names.
        unsupported: attributes that it has no arguments for.
        constants: arguments with fixed values.
    """

    type: str
    attributes: dict[str, str]
    unsupported: tuple[str, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()


def _same(*names: str, **renamed: str) -> dict[str, str]:
    return {**{name: name for name in names}, **renamed}


_KINDS: tuple[tuple[type[Element], Kind], ...] = (
    (
        TransitSecretBackend,
        Kind(
            "vault_mount",
            _same(
                *(name for name in TransitSecretBackend.ATTRIBUTES if name != "disable_upsert"),
                default_lease_ttl="default_lease_ttl_seconds",
                max_lease_ttl="max_lease_ttl_seconds",
            ),
            constants=(("type", "transit"),),
        ),
    ),
    (
        TransitSecretBackendKey,
        Kind(
            "vault_transit_secret_backend_key",
            _same(*(name for name in TransitSecretBackendKey.ATTRIBUTES if name != "external_key_ref")),
            unsupported=("external_key_ref",),
        ),
    ),
    (TransitSecretCacheConfig, Kind("vault_transit_secret_cache_config", _same("backend", "size"))),
    (AppRoleAuth, Kind("vault_auth_backend", _same("path", "description"), constants=(("type", "approle"),))),
    (
        AppRole,
        Kind(
            "vault_approle_auth_backend_role",
            _same(*(name for name in AppRole.ATTRIBUTES if name != "name"), name="role_name"),
        ),
    ),
    (Policy, Kind("vault_policy", _same("name"))),
)

#: What was found for classes, of which a program has few.
_KIND_OF: dict[type[Element], Kind | None] = {}


def kind_of(element: Element) -> Kind | None:
    """Return the kind of resource that an element becomes; None when it becomes none, such as what already exists."""
    if isinstance(element, Resource) and not element.managed:
        return None
    found = type(element)
    if found not in _KIND_OF:
        _KIND_OF[found] = next((kind for construct, kind in _KINDS if issubclass(found, construct)), None)
    return _KIND_OF[found]


def is_unknown(view: View, pointer: Pointer, stack: Stack | None) -> bool:
    """Whether the own state of a stack cannot have a value, which another stack makes or which exists already."""
    element = pointer.element
    elsewhere = view.stack_of[element] is not stack
    return pointer.runtime and (elsewhere or (isinstance(element, KeyResource) and kind_of(element) is None))


def body_of(view: View, element: Element, kind: Kind, render: Render) -> dict[str, Any]:
    """Return the arguments of the resource."""
    body: dict[str, Any] = dict(kind.constants)
    if isinstance(element, Policy):
        text = hcl(rules_of(view, element), element.description)
        return {**body, "name": render(element.policy_name), "policy": render(text)}
    if isinstance(element, Resource):
        for name, value in element.values.items():
            if name in kind.attributes:
                body[kind.attributes[name]] = plain(value, render)
    if isinstance(element, AppRole):
        body["token_policies"] = sorted({render(name) for name in element.policies})
    return body


def plain(value: Value, render: Render) -> Any:
    """Return a value as JSON data."""
    if isinstance(value, Duration):
        return value.seconds
    if isinstance(value, str):
        return render(value)
    if isinstance(value, tuple):
        return [render(text) for text in value]
    if isinstance(value, dict):
        return {render(name): render(text) for name, text in value.items()}
    return value
