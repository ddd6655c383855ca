# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How Terraform's provider logs in. Credentials are variables, so that no file has them."""

from __future__ import annotations

from typing import Any

from mlkeys._model.stack import Stack
from mlkeys._targets.terraform.text import escaped

_ROLE_ID, _SECRET_ID, _JWT = "vault_role_id", "vault_secret_id", "vault_jwt"


def provider(stack: Stack) -> dict[str, Any]:
    """Return what the login adds to the block of the provider."""
    mount = escaped((stack.terraform_auth_path or stack.terraform_auth or "").strip("/"))
    if stack.terraform_auth == "approle":
        given = {"role_id": f"${{var.{_ROLE_ID}}}", "secret_id": f"${{var.{_SECRET_ID}}}"}
        return {"auth_login": {"path": f"auth/{mount}/login", "parameters": given}}
    if stack.terraform_auth == "jwt":
        role = escaped(stack.terraform_auth_role or "")
        return {"auth_login_jwt": {"mount": mount, "role": role, "jwt": f"${{var.{_JWT}}}"}}
    return {}


def variables(stack: Stack) -> dict[str, Any]:
    """Return the variables with the credentials."""
    described = {
        "approle": {_ROLE_ID: "Role ID that the provider logs in with.", _SECRET_ID: "Its secret ID."},
        "jwt": {_JWT: "JWT that the provider logs in with."},
    }
    return {
        name: {"type": "string", "sensitive": True, "description": text}
        for name, text in described.get(stack.terraform_auth or "", {}).items()
    }
