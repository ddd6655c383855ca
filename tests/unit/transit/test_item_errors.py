# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's words, as one sentence with the path, the reason and what to do."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import (
    meaning,
    missing_operation,
    too_large,
    too_long,
    wrong_type,
)

CIPHERS = "aes256-gcm96, chacha20-poly1305 or another that encrypts"


@pytest.mark.parametrize(
    ("path", "words", "said"),
    [
        (
            "transit/sign/ml",
            "key type aes256-gcm96 does not support signing",
            "A key of type aes256-gcm96 cannot sign at 'transit/sign/ml': use a key of type ed25519, ecdsa-* or rsa-*.",
        ),
        (
            "a/sign/encrypt/decrypt",
            "message encryption not supported for key type hmac",
            f"A key of type hmac cannot encrypt at 'a/sign/encrypt/decrypt': use a key of type {CIPHERS}.",
        ),
        (
            "a/datakey/wrapped/sign",
            "message encryption not supported for key type ed25519",
            f"A key of type ed25519 cannot encrypt data keys at 'a/datakey/wrapped/sign': use a key of type {CIPHERS}.",
        ),
        ("transit/encrypt/ml", "cipher: message authentication failed", ""),
        ("transit/hmac/ml", "key type hmac does not support signing", ""),
    ],
)
def test_a_key_of_the_wrong_type(path: str, words: str, said: str) -> None:
    assert wrong_type(path, words) == said


def test_only_a_cmac_is_an_operation_that_servers_lack() -> None:
    words = "1 error occurred: * unsupported path"
    said = "The server has no operation for 'transit/cmac/ml': only Vault Enterprise computes CMACs, so use hmac."
    assert missing_operation("transit/cmac/ml", 404, words) == said
    # A key with that name, which the server does not accept.
    assert missing_operation("transit/sign/cmac", 404, words) == ""
    assert missing_operation("transit/cmac/ml", 400, words) == ""


def test_values_that_are_too_large_or_too_long() -> None:
    assert too_large("transit/encrypt/ml", 53_400_000).startswith(
        "The server refused a request of 50.9 MiB to 'transit/encrypt/ml': it is larger than the server's limit, 32 "
    )
    assert "max_json_string_value_length" in too_long("transit/encrypt/ml", "JSON string value exceeds allowed length")
    assert too_long("transit/encrypt/ml", "http: request body too large") == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("invalid HMAC to verify: no prefix", "its hmac is not a Transit HMAC (vault:vN:...)"),
        ("invalid signature: no prefix", "its signature is not a Transit signature (vault:vN:...)"),
        ("invalid ciphertext: no prefix", "it is not a Transit ciphertext (vault:vN:...)"),
        ("invalid base64 signature value", "it is not a Transit signature, or in another marshaling_algorithm"),
        ("something\n new", "something new"),
    ],
)
def test_what_the_words_for_an_item_mean(words: str, said: str) -> None:
    assert meaning(words) == said


@pytest.mark.parametrize(
    "words",
    [
        "requested version for signing does not contain a private part",
        "cannot decrypt ciphertext, key version does not have a private counterpart",
    ],
)
def test_a_public_key_alone_is_named(words: str) -> None:
    assert "public key of this version alone: import the private key" in meaning(words)
