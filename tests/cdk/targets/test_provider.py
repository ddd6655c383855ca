# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Terraform JSON against the provider's own schema, and against what cdktn makes of the same stack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkeys import transit as vault
from tests.cdk.apps import WITH_TERRAFORM, configurations, key_in, stack, terraform
from tests.cdk.provider.schema import Attribute, Group, schema

META = {"//", "lifecycle", "depends_on", "provider", "count", "for_each"}
GROUPS: tuple[Group, ...] = ("resource", "data", "ephemeral")


def misfits(configuration: Mapping[str, Any]) -> list[str]:
    """What of a configuration the provider would not understand."""
    return [
        f"{type_}.{name}: {problem}"
        for group in GROUPS
        for type_, blocks in configuration.get(group, {}).items()
        for name, body in blocks.items()
        for problem in misfits_of(body, schema()[group][type_].attributes)
    ]


def misfits_of(body: Mapping[str, Any], known: Mapping[str, Attribute]) -> list[str]:
    missing = [name for name, attribute in known.items() if attribute.required and name not in body]
    return [
        *(f"no {name}" for name in body.keys() - known.keys() - META),
        *(f"{name} is missing" for name in missing),
        *(f"{name} is {value!r}" for name, value in body.items() if name in known and not fits(known[name], value)),
    ]


def fits(attribute: Attribute, value: Any) -> bool:
    if isinstance(value, str) and value.startswith("${"):
        return attribute.required or attribute.optional
    kind = attribute.type if isinstance(attribute.type, str) else attribute.type[0]
    kinds: dict[type, str] = {bool: "bool", int: "number", str: "string", list: "list", dict: "map"}
    return kinds[type(value)] == kind and (attribute.required or attribute.optional)


@pytest.mark.parametrize("name", WITH_TERRAFORM)
def test_the_provider_understands_every_block(name: str) -> None:
    found = {stack: misfits(configuration) for stack, configuration in configurations(name).items()}
    assert found
    assert not any(found.values()), found


def test_every_attribute_of_keys_and_engines_is_one_of_the_providers() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(
        s, "e", path="e", description="d", default_lease_ttl=1, max_lease_ttl=2, listing_visibility="hidden",
        audit_non_hmac_request_keys=["a"], audit_non_hmac_response_keys=["a"], passthrough_request_headers=["a"],
        allowed_response_headers=["a"], plugin_version="v1", options={"a": "b"}, local=True, seal_wrap=True,
        external_entropy_access=True, force_no_cache=True, disable_upsert=False,
    )  # fmt: skip
    vault.TransitSecretBackendKey(
        s, "k", backend=engine.path, name="k", type="aes256-gcm96", derived=True, convergent_encryption=True,
        exportable=True, allow_plaintext_backup=True, auto_rotate_period="1h", deletion_allowed=True,
        min_decryption_version=1, min_encryption_version=1,
    )  # fmt: skip
    of_types: list[dict[str, Any]] = [
        {"type": "hmac", "key_size": 32},
        {"type": "managed_key", "managed_key_name": "a", "managed_key_id": "b"},
        {
            "type": "hybrid",
            "parameter_set": "44",
            "hybrid_key_type_pqc": "ml-dsa",
            "hybrid_key_type_ec": "ecdsa-p256",
        },
    ]
    for attributes in of_types:
        kind = str(attributes["type"])
        vault.TransitSecretBackendKey(s, kind, backend=engine.path, name=kind, **attributes)
    vault.AppRole(
        s, "r", token_policies=["a"], token_ttl=1, token_max_ttl=2, token_period=3, token_num_uses=4,
        token_bound_cidrs=["127.0.0.1/32"], token_no_default_policy=True, bind_secret_id=True, secret_id_ttl=5,
        secret_id_num_uses=6, secret_id_bound_cidrs=["127.0.0.1/32"],
    )  # fmt: skip
    assert misfits(terraform(s)) == []


def test_the_check_itself_finds_what_is_wrong() -> None:
    s = stack()
    key = key_in(s)
    key.add_override("deletion_alowed", "yes")
    key.add_override("auto_rotate_period", "soon")
    key.add_override("backend", None)
    key.add_override("latest_version", 3)
    assert len(misfits(terraform(s))) == 4


def ours() -> dict[str, Any]:
    s = stack("parity", targets=("terraform",))
    engine = vault.TransitSecretBackend(
        s, "transit", path="transit", description="for ${everyone}", disable_upsert=None
    )
    key = vault.TransitSecretBackendKey(
        s,
        "ml-api-key",
        backend=engine.path,
        name="ml-api-key",
        type="aes256-gcm96",
        auto_rotate_period="30d",
        derived=True,
    )
    vault.TransitSecretCacheConfig(s, "cache", backend=engine.path, size=500)
    policy = vault.Policy(s, "ci")
    key.grant_encrypt(policy)
    vault.AppRole(s, "role", name="ci", token_policies=[policy.name], token_ttl="1h")
    resources: dict[str, Any] = terraform(s)["resource"]
    return resources


def theirs(folder: Path) -> dict[str, Any]:
    # In a process of its own: what cdktn starts it keeps until the end.
    program = Path(__file__).parents[1] / "provider" / "cdktn_program.py"
    subprocess.run([sys.executable, str(program), str(folder)], check=True, timeout=120)
    made: dict[str, Any] = json.loads((folder / "stacks" / "parity" / "cdk.tf.json").read_text(encoding="utf-8"))
    resources: dict[str, Any] = made["resource"]
    return resources


def test_the_same_stack_gives_the_same_resources_as_cdktn(tmp_path: Path) -> None:
    # Besides its metadata, only the guard of the engine is ours alone.
    def bare(resources: dict[str, Any]) -> dict[str, Any]:
        return {
            type_: {
                name: {key: value for key, value in body.items() if key not in ("//", "lifecycle")}
                for name, body in blocks.items()
            }
            for type_, blocks in resources.items()
        }

    assert bare(ours()) == bare(theirs(tmp_path))
