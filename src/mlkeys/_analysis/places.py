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
    """Return an AppRole as AUTH_METHOD/ROLE."""
    return "/".join(view.text(str(part)).strip("/") for part in (role.backend, role.name))


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
        return "auth_methods", view.text(str(element.path)).strip("/")
    if isinstance(element, TransitSecretBackendKey):
        return "keys", "/".join(view.text(str(part)).strip("/") for part in (element.backend, element.name))
    if isinstance(element, TransitSecretBackend):
        return "engines", view.text(str(element.path)).strip("/")
    return None
