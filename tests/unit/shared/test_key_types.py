# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operations and options are for keys of which type, where no server is needed to see it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import (
    KEY_TYPES,
    OF_SOME_TYPES,
    can_do,
    depends_on_key,
    import_problem,
    signing_problems,
    unsuitable,
    use_problems,
)

WHICH = "key 'releases'"


def test_what_is_not_known_is_for_the_server_to_decide() -> None:
    assert can_do("sign", "of-tomorrow")
    assert can_do("hmac", "aes256-gcm96")
    options = {"hash_algorithm": "sha2-512", "salt_length": "9999", "prehashed": True}
    for kind in ("", "of-tomorrow", "ml-dsa", "managed_key", "external-key", "hybrid"):
        assert use_problems(WHICH, {"type": kind}, "sign", options) == []


def test_each_type_does_something() -> None:
    for kind in KEY_TYPES:
        assert kind == "hmac" or any(can_do(operation, kind) for operation in OF_SOME_TYPES), kind
    assert unsuitable("cmac", "hmac") == (
        "a key of type hmac cannot compute CMACs: use a key of type aes128-cmac, aes192-cmac or aes256-cmac"
    )


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (
            "external-key",
            "a key of type external-key cannot be imported: its material stays where external_key_ref says",
        ),
        (
            "managed_key",
            "type managed_key cannot be imported: its material stays where managed_key_name or managed_key_id",
        ),
        ("hybrid", "a key of type hybrid cannot be imported: let the server make it"),
        ("ml-dsa", "a key of type ml-dsa cannot be imported: let the server make it"),
        ("slh-dsa", "a key of type slh-dsa cannot be imported: let the server make it"),
    ],
)
def test_some_types_cannot_be_imported(kind: str, problem: str) -> None:
    assert problem in import_problem(kind)


def test_a_type_that_is_not_known_may_be_imported() -> None:
    assert import_problem("of-tomorrow") == ""


@pytest.mark.parametrize(
    ("operation", "options", "depends"),
    [
        ("sign", {}, False),
        ("sign", {"prehashed": False, "marshaling_algorithm": "jws"}, False),
        ("verify", {"prehashed": True}, True),
        ("sign", {"context": b"c"}, True),
        # To the server, an empty one is none.
        ("sign", {"context": b""}, False),
        ("hmac", {"hash_algorithm": "sha2-512"}, False),
        ("decrypt", {"context": b"c"}, False),
        ("datakey", {"context": b"c"}, True),
    ],
)
def test_a_key_is_read_only_for_options_that_depend_on_it(
    operation: str, options: dict[str, Any], *, depends: bool
) -> None:
    assert depends_on_key(operation, options) is depends


def test_vault_enterprise_signs_digests_with_ed25519() -> None:
    """Ed25519ph, of RFC 8032. OpenBao signs the digest as any other value."""
    options = {"prehashed": True, "hash_algorithm": "sha2-512"}
    assert use_problems(WHICH, {"type": "ed25519"}, "sign", options) == []
    of_openbao = {"type": "ed25519", "soft_deleted": False}
    assert len(use_problems(WHICH, of_openbao, "sign", options)) == 2
    assert len(use_problems(WHICH, {"type": "ed25519"}, "sign", {"prehashed": True})) == 1


def test_a_salt_and_pkcs1v15_exclude_each_other() -> None:
    assert signing_problems({"salt_length": "20", "signature_algorithm": "pss"}) == []
    assert signing_problems({"salt_length": "20", "signature_algorithm": "pkcs1v15"}) != []
