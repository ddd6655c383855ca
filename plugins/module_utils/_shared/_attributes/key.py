# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The attributes of keys, and when each may change.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.

Sources of the rules: the API documentation of `OpenBao <https://openbao.org/api-docs/secret/transit/>`_ and of
`Vault <https://developer.hashicorp.com/vault/api-docs/secret/transit>`_, and the behaviour of running servers.
"""

from __future__ import annotations

from .attribute import ANY_TIME, AT_CREATION, ON_ONLY, Attribute

# The versions of a key below which the server neither decrypts nor encrypts.
FLOORS = ("min_decryption_version", "min_encryption_version")

KEY_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("type", "str", AT_CREATION, "The kind of key.", default="aes256-gcm96"),
    Attribute("derived", "bool", AT_CREATION, "Derive a key of its own for each context.", default=False),
    Attribute(
        "convergent_encryption",
        "bool",
        AT_CREATION,
        "The same plaintext and context give the same ciphertext. Needs derived.",
        default=False,
    ),
    Attribute("key_size", "int", AT_CREATION, "Size of an hmac key in bytes, 32 to 512."),
    Attribute("exportable", "bool", ON_ONLY, "The key material may be exported.", default=False),
    Attribute("allow_plaintext_backup", "bool", ON_ONLY, "The key may be backed up in plaintext.", default=False),
    Attribute(
        "auto_rotate_period",
        "duration",
        ANY_TIME,
        "The server rotates the key after this time. 0 turns that off, otherwise at least one hour.",
        default=0,
    ),
    Attribute("deletion_allowed", "bool", ANY_TIME, "The key may be deleted.", default=False, at_creation=False),
    Attribute(
        "min_decryption_version",
        "int",
        ANY_TIME,
        "The oldest version that may still decrypt.",
        default=1,
        at_creation=False,
    ),
    Attribute(
        "min_encryption_version",
        "int",
        ANY_TIME,
        "The oldest version that may be asked to encrypt. 0 means any that may decrypt.",
        default=0,
        at_creation=False,
    ),
    Attribute("external_key_ref", "str", AT_CREATION, "Reference of an external-key, CONFIG:KEY.", server="OpenBao"),
    Attribute("managed_key_name", "str", AT_CREATION, "Name of the key behind a managed_key.", server="Vault"),
    Attribute("managed_key_id", "str", AT_CREATION, "UUID of the key behind a managed_key.", server="Vault"),
    Attribute("parameter_set", "str", AT_CREATION, "Parameter set of an ml-dsa or slh-dsa key.", server="Vault"),
    Attribute("hybrid_key_type_pqc", "str", AT_CREATION, "Post-quantum part of a hybrid key.", server="Vault"),
    Attribute("hybrid_key_type_ec", "str", AT_CREATION, "Elliptic-curve part of a hybrid key.", server="Vault"),
)
