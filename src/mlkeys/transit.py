# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Constructs for the Transit secrets engine: engines, keys, policies and AppRoles.

from mlkeys import transit as vault
"""

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.grants import Grant
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.key_resource import KeyAttributes, KeyType
from mlkeys._constructs.material import KeyMaterial
from mlkeys._constructs.policy import Capability, Policy
from mlkeys._constructs.signing import Signed, Verified

__all__ = [
    "AppRole",
    "AppRoleAuth",
    "Capability",
    "Decrypted",
    "Encrypted",
    "Grant",
    "KeyAttributes",
    "KeyMaterial",
    "KeyType",
    "Policy",
    "Signed",
    "TransitSecretBackend",
    "TransitSecretBackendKey",
    "TransitSecretCacheConfig",
    "Verified",
]
