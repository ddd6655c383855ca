# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The kinds and names that elements have on a server, as records keep them."""

from __future__ import annotations

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element, Resource


def role_place(view: View, role: AppRole) -> str:
    """Return an AppRole as AUTH_METHOD/ROLE. The server keeps the names of roles in lower case."""
    return f"{_path(view, role, 'backend')}/{_path(view, role, 'name').lower()}"


def _path(view: View, element: Element, *attributes: str) -> str:
    # The values of the element themselves: references to them would be looked up in the tree, for each element.
    return "/".join(view.text(str(element.known(attribute))).strip("/") for attribute in attributes)


def place(view: View, element: Element) -> tuple[str, str] | None:
    """Return the kind and the name of an object of the server that the program makes."""
    if isinstance(element, Resource) and not element.managed:
        return None
    if isinstance(element, Policy):
        # The server has no other names.
        return "policies", view.text(str(element.name)).lower()
    if isinstance(element, AppRole):
        return "roles", role_place(view, element)
    if isinstance(element, AppRoleAuth):
        return "auth_methods", _path(view, element, "path")
    if isinstance(element, TransitSecretBackendKey):
        return "keys", _path(view, element, "backend", "name")
    if isinstance(element, TransitSecretBackend):
        return "engines", _path(view, element, "path")
    return None
