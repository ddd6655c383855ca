# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ciphertext shows without the server: the tests ciphertext and ciphertext_of, and the filter of its version."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.filter.ciphertext_version import ciphertext_version_of
from ansible_collections.mlkeys.transit.plugins.test.ciphertext import is_ciphertext
from ansible_collections.mlkeys.transit.plugins.test.ciphertext_of import is_ciphertext_of

from tests.support.chains import printed_with

SECRET = "sk-never-to-be-shown"


def sealed(version: int, size: int = 30) -> str:
    return f"vault:v{version}:{base64.b64encode(bytes(size)).decode()}"


@pytest.mark.parametrize("value", [sealed(1), f" {sealed(12)}\n", sealed(3, 512)])
def test_ciphertexts_have_a_version(value: str) -> None:
    assert is_ciphertext(value) is True
    assert ciphertext_version_of(value) == int(value.strip().split(":")[1][1:])


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        "",
        "vault:v0:QUJD",
        "vault:v1:",
        "vault:v1:QUJ",
        "vault:vX:QUJD",
        "Vault:v1:QUJD",
        f"{SECRET} {sealed(1)}",
        f"{sealed(1)}\n{sealed(1)}",
        None,
        5,
        [sealed(1)],
        {"value": sealed(1)},
    ],
)
def test_nothing_else_has(value: object) -> None:
    assert is_ciphertext(value) is False
    with pytest.raises(AnsibleFilterError) as refused:
        ciphertext_version_of(value)
    assert SECRET not in str(refused.value)
    assert printed_with(refused.value) == []


KEY: dict[str, Any] = {"type": "aes256-gcm96", "latest_version": 4, "min_available_version": 2}


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        (sealed(4), {}, True),
        (sealed(2), {}, True),
        (sealed(5), {}, False),
        (sealed(1), {}, False),
        # The server says 0 for a key that was never trimmed.
        (sealed(1), {"min_available_version": 0}, True),
        (sealed(1), {"min_available_version": None}, True),
        # Below the floor, but not trimmed.
        (sealed(2), {"min_decryption_version": 4}, True),
        (sealed(4, 28), {}, True),
        (sealed(4, 27), {}, False),
        (sealed(4, 39), {"type": "xchacha20-poly1305"}, False),
        (sealed(4, 40), {"type": "xchacha20-poly1305"}, True),
        (sealed(4, 256), {"type": "rsa-2048"}, True),
        (sealed(4, 257), {"type": "rsa-2048"}, False),
        (sealed(4, 256), {"type": "rsa-4096"}, False),
        (sealed(4), {"type": "ed25519"}, False),
        (sealed(4), {"type": "hmac"}, False),
        (sealed(4, 1), {"type": "managed_key"}, True),
        (SECRET, {}, False),
        (None, {}, False),
    ],
)
def test_what_may_be_of_a_key(value: object, key: dict[str, object], expected: bool) -> None:
    assert is_ciphertext_of(value, {**KEY, **key}) is expected


@pytest.mark.parametrize("key", ["ml-api-key", None, {}, {"type": "hmac"}, {"latest_version": 4}, [KEY]])
def test_a_name_is_not_a_key(key: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^ciphertext_of: key must be a key as vault_transit_key_info"):
        is_ciphertext_of(sealed(1), key)
