# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented policy for provisioning allows provisioning and nothing else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.support.runs import converge, denied, refused, run
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

PROVISION = """
path "sys/mounts/ENGINE"       { capabilities = ["read", "update"] }
path "sys/mounts/ENGINE/tune"  { capabilities = ["read", "update"] }
path "ENGINE/keys"             { capabilities = ["list"] }
path "ENGINE/keys/+"           { capabilities = ["read", "update"] }
path "ENGINE/keys/+/config"    { capabilities = ["update"] }
path "ENGINE/config/keys"      { capabilities = ["read", "update"] }
"""


@pytest.fixture(params=["{}", "teams/{}/transit"], ids=["shallow", "deep"])
def engine(bao: Bao, request: pytest.FixtureRequest) -> Iterator[str]:
    """The path of an engine that is not there yet."""
    path = request.param.format(f"engine-{secrets.token_hex(4)}")
    yield path
    bao.done("DELETE", f"sys/mounts/{path}")


@pytest.fixture
def provisioner(engine: str, mint_token: Callable[[str], str]) -> str:
    return mint_token(PROVISION.replace("ENGINE", engine))


def test_an_engine_and_its_keys_are_made_from_nothing(bao: Bao, engine: str, provisioner: str) -> None:
    backend, key = "vault_transit_backend", "vault_transit_key"
    converge(bao, backend, path=engine, token=provisioner, description="first", max_lease_ttl="30d")
    converge(bao, backend, path=engine, token=provisioner, description="second", default_lease_ttl="1h")
    converge(bao, backend, path=engine, token=provisioner, disable_upsert=False)
    converge(bao, key, name="ml", backend=engine, token=provisioner, derived=True)
    converge(bao, key, name="ml", backend=engine, token=provisioner, exportable=True, auto_rotate_period="30d")
    converge(bao, key, name="ml", backend=engine, token=provisioner, min_encryption_version=1)
    for name in ("ml", None):
        info = run(bao, "vault_transit_key_info", name=name, backend=engine, token=provisioner)
        assert [found["name"] for found in info["transit_keys"]] == ["ml"]


def test_the_policy_allows_nothing_else(bao: Bao, engine: str, provisioner: str) -> None:
    run(bao, "vault_transit_backend", path=engine, token=provisioner)
    run(bao, "vault_transit_key", name="ml", backend=engine, token=provisioner, deletion_allowed=True)
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"rotate_older_than": "0"}, "update", f"{engine}/keys/ml/rotate"),
        ({"state": "absent"}, "delete", f"{engine}/keys/ml"),
    ]
    for params, capability, path in cases:
        result = run(bao, "vault_transit_key", name="ml", backend=engine, token=provisioner, **params)
        assert result.failed
        assert not result.changed
        assert result.msg == denied(bao, capability, path)
    result = run(bao, "vault_transit_backend", path=engine, state="absent", force=True, token=provisioner)
    assert result.failed
    assert result.msg == denied(bao, "delete", f"sys/mounts/{engine}")
    result = run(bao, "vault_transit_backend", path=engine, cache_size=100, token=provisioner)
    assert result.failed
    assert result.msg == denied(bao, "read", f"{engine}/cache-config")
    plaintext = base64.b64encode(b"x").decode()
    for operation in ("encrypt", "decrypt", "rewrap", "hmac", "datakey/plaintext", "export/encryption-key", "backup"):
        body = {"plaintext": plaintext, "ciphertext": "vault:v1:AAAA", "input": plaintext}
        assert bao.request("POST", f"{engine}/{operation}/ml", body, token=provisioner)[0] == 403
    assert bao.request("POST", f"{engine}/keys/ml/trim", {"min_available_version": 1}, token=provisioner)[0] == 403


def test_the_policy_allows_no_other_engine(bao: Bao, engine: str, provisioner: str, mount: str) -> None:
    assert refused(bao, "vault_transit_backend", path=mount, token=provisioner) == denied(
        bao, "read", f"sys/mounts/{mount}"
    )
    assert refused(bao, "vault_transit_key", name="ml", backend=mount, token=provisioner) == denied(
        bao, "read", f"{mount}/keys/ml"
    )
    run(bao, "vault_transit_backend", path=engine)


def test_the_optional_grants_are_what_rotation_and_deletion_need(
    bao: Bao, engine: str, mint_token: Callable[[str], str]
) -> None:
    more = """
path "ENGINE/keys/+/rotate" { capabilities = ["update"] }
path "ENGINE/keys/+"        { capabilities = ["read", "update", "delete"] }
"""
    token = mint_token((PROVISION + more).replace("ENGINE", engine))
    run(bao, "vault_transit_backend", path=engine, token=token)
    run(bao, "vault_transit_key", name="ml", backend=engine, token=token)
    result = converge(
        bao, "vault_transit_key", repeatable=False, name="ml", backend=engine, token=token, rotate_older_than="0"
    )
    assert result["key"]["latest_version"] == 2
    converge(bao, "vault_transit_key", name="ml", backend=engine, token=token, state="absent", force=True)
