# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The Transit engine: engines, keys, and who may use them.

from mlkeys import transit as vault
"""

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.grants import Grant
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.key_resource import KeyType
from mlkeys._constructs.policy import Capability, Policy

__all__ = [
    "AppRole",
    "AppRoleAuth",
    "Capability",
    "Decrypted",
    "Encrypted",
    "Grant",
    "KeyType",
    "Policy",
    "TransitSecretBackend",
    "TransitSecretBackendKey",
    "TransitSecretCacheConfig",
]
