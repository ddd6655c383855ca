# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Log in with an identity of Azure: its access token is the JWT that the server checks. **Private**."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

# For other authorities, Azure's public one cannot say whether they are genuine.
_KNOWN_AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")


def access_token(auth: Auth) -> str:
    """An access token for the resource.

    Raises:
        LibraryMissing: azure-identity is not installed.
        InvalidOption: there is no identity, or Azure refused it.
    """
    identity = library("azure.identity")
    refused = library("azure.core.exceptions").ClientAuthenticationError
    # CredentialUnavailableError is one of them.
    try:
        return str(_credential(identity, auth).get_token(f"{auth.azure_resource}/.default").token)
    except refused:
        # Its text may quote a response.
        raise InvalidOption(
            f"auth_method azure: Azure gave no token for {auth.azure_resource}. Check azure_tenant_id, azure_client_id "
            "and azure_client_secret, or what the Azure CLI or the machine's identity may do."
        ) from None
    except ValueError:
        raise InvalidOption("auth_method azure: azure_tenant_id or AZURE_AUTHORITY_HOST is invalid.") from None


def _credential(identity: Any, auth: Auth) -> Any:
    """That of a registered application, a user-assigned identity of the machine, or what azure-identity finds."""
    if auth.azure_client_secret:
        return identity.ClientSecretCredential(
            auth.azure_tenant_id,
            auth.azure_client_id,
            auth.azure_client_secret,
            disable_instance_discovery=_is_private(),
        )
    if auth.azure_client_id:
        return identity.ManagedIdentityCredential(client_id=auth.azure_client_id)
    return identity.DefaultAzureCredential()


def _is_private() -> bool:
    authority = os.environ.get("AZURE_AUTHORITY_HOST", "").rpartition("://")[2].strip("/")
    return authority not in ("", *_KNOWN_AUTHORITIES)
