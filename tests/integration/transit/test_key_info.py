# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_key_info against a real server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.integration.support.runs import Ledger, no_engine, refused, run
from tests.support.key_material import check_signature
from tests.support.modules import ModuleResult
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_key_info"


def info(bao: Bao, mount: str, name: str | None = None) -> ModuleResult:
    """A run, which is the same in check mode and writes nothing."""
    ledger = Ledger(bao)
    result = run(bao, MODULE, backend=mount, name=name)
    predicted = run(bao, MODULE, check=True, backend=mount, name=name)
    assert not result.failed, result.msg
    assert not result.changed
    assert [key["name"] for key in predicted["transit_keys"]] == [key["name"] for key in result["transit_keys"]]
    assert ledger.writes == []
    return result


def test_an_engine_without_keys(bao: Bao, mount: str) -> None:
    assert info(bao, mount)["transit_keys"] == []


def test_a_missing_key(bao: Bao, mount: str) -> None:
    assert info(bao, mount, "nope")["transit_keys"] == []


@pytest.mark.parametrize(("asks", "denied"), [(True, ["keys/k/trim"]), (False, [])])
def test_what_the_token_may_not_update_is_named_if_it_may_ask(
    bao: Bao, mount: str, mint_token: Callable[[str], str], *, asks: bool, denied: list[str]
) -> None:
    bao.done("POST", f"{mount}/keys/k", {})
    paths = [f"{mount}/keys/k/config", *(["sys/capabilities-self"] if asks else [])]
    rules = [f'path "{path}" {{ capabilities = ["update"] }}' for path in paths]
    token = mint_token("\n".join([f'path "{mount}/keys/k" {{ capabilities = ["read"] }}', *rules]))
    updates = ["keys/k/config", "keys/k/trim"]
    result = run(bao, MODULE, backend=mount, name="k", updates=updates, token=token)
    assert result["denied"] == [f"{mount}/{path}" for path in denied]
    assert run(bao, MODULE, backend=mount, name="k", updates=updates)["denied"] == []


def test_all_keys_come_sorted(bao: Bao, mount: str) -> None:
    for name in ("b", "a", "c"):
        bao.done("POST", f"{mount}/keys/{name}", {})
    assert [key["name"] for key in info(bao, mount)["transit_keys"]] == ["a", "b", "c"]
    assert [key["name"] for key in info(bao, mount, "b")["transit_keys"]] == ["b"]


def test_the_wrapping_key_of_the_server_is_not_a_key(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/own", {})
    bao.done("GET", f"{mount}/wrapping_key")
    assert bao.done("LIST", f"{mount}/keys")["data"]["keys"] == ["import/", "own"]
    assert [key["name"] for key in info(bao, mount)["transit_keys"]] == ["own"]


@pytest.mark.parametrize(
    ("key_type", "versions"), [("aes256-gcm96", [1, 2]), ("rsa-2048", [1, 2]), ("ed25519", [1, 2]), ("hmac", [])]
)
def test_versions_have_times_and_ages(bao: Bao, mount: str, key_type: str, versions: list[int]) -> None:
    body = {"type": key_type, **({"key_size": 32} if key_type == "hmac" else {})}
    bao.done("POST", f"{mount}/keys/ml", body)
    bao.done("POST", f"{mount}/keys/ml/rotate", {})
    [key] = info(bao, mount, "ml")["transit_keys"]
    assert key["latest_version"] == 2
    assert [version["version"] for version in key["versions"]] == versions
    for version in key["versions"]:
        created = datetime.strptime(version["creation_time"], "%Y-%m-%dT%H:%M:%S%z")
        assert abs(time.time() - created.timestamp()) < 60
        assert 0 <= version["age_seconds"] < 60


def test_no_secret_key_material_is_shown(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"type": "rsa-2048", "exportable": True, "allow_plaintext_backup": True})
    exported = bao.done("GET", f"{mount}/export/encryption-key/ml")["data"]["keys"]["1"]
    bao.done("GET", f"{mount}/backup/ml")
    shown = json.dumps(info(bao, mount)["transit_keys"])
    assert shown.count("BEGIN") == shown.count("BEGIN PUBLIC KEY") == 1
    assert json.dumps(exported)[40:100] not in shown
    assert "backup_info" not in shown


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ed25519", "rsa-2048", "aes256-gcm96", "hmac"])
def test_key_pairs_have_public_keys_that_verify(bao: Bao, mount: str, key_type: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"type": key_type, **({"key_size": 32} if key_type == "hmac" else {})})
    [key] = info(bao, mount, "ml")["transit_keys"]
    texts = [version["public_key"] for version in key["versions"] if "public_key" in version]
    if key_type in ("aes256-gcm96", "hmac"):
        assert texts == []
        return
    body = {"input": "YQ==", "signature_algorithm": "pkcs1v15"}
    made = bao.done("POST", f"{mount}/sign/ml", body)["data"]["signature"]
    check_signature(serialization.load_pem_public_key(texts[0].encode()), base64.b64decode(made.split(":")[2]), b"a")


def test_a_derived_pair_has_a_public_key_for_each_context(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"type": "ed25519", "derived": True})

    def shown(**options: Any) -> list[str | None]:
        [key] = run(bao, MODULE, backend=mount, name="ml", **options)["transit_keys"]
        return [version.get("public_key") for version in key["versions"]]

    assert shown() == [None]
    (one,), (other,) = shown(context="one"), shown(context="other")
    assert one != other
    made = bao.done("POST", f"{mount}/sign/ml", {"input": "YQ==", "context": "b25l"})["data"]["signature"]
    check_signature(serialization.load_pem_public_key(str(one).encode()), base64.b64decode(made.split(":")[2]), b"a")


def test_the_facts_of_a_key(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"derived": True, "auto_rotate_period": "30d"})
    [key] = info(bao, mount, "ml")["transit_keys"]
    del key["versions"]
    assert key == {
        "backend": mount,
        "name": "ml",
        "type": "aes256-gcm96",
        "derived": True,
        "convergent_encryption": False,
        "exportable": False,
        "allow_plaintext_backup": False,
        "auto_rotate_period": 2592000,
        "deletion_allowed": False,
        "min_decryption_version": 1,
        "min_encryption_version": 0,
        "latest_version": 1,
        "min_available_version": 0,
        "imported_key": False,
        "kdf": "hkdf_sha256",
        "soft_deleted": False,
        "supports_decryption": True,
        "supports_derivation": True,
        "supports_encryption": True,
        "supports_signing": False,
    }


def test_versions_below_the_minimum_are_not_listed(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    for _version in (2, 3):
        bao.done("POST", f"{mount}/keys/ml/rotate", {})
    bao.done("POST", f"{mount}/keys/ml/config", {"min_decryption_version": 2})
    [key] = info(bao, mount, "ml")["transit_keys"]
    assert [version["version"] for version in key["versions"]] == [2, 3]


def test_a_missing_engine_is_an_error(bao: Bao) -> None:
    for name, path in ((None, "nope/keys"), ("ml", "nope/keys/ml")):
        assert refused(bao, MODULE, backend="nope", name=name) == no_engine(bao, path)


def test_a_bad_name_is_refused(bao: Bao, mount: str) -> None:
    assert refused(bao, MODULE, backend=mount, name="a/b").startswith("'a/b' is not a key name: ")
