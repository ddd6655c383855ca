# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Blocks of Terraform that a program adds: merged with those that are generated, none lost."""

from __future__ import annotations

from typing import Any

import pytest

from mlkeys import App, AppInvalid, Secret, Stack, TerraformBlock, export
from mlkeys import transit as vault
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import key_in, problems, terraform


def made(*blocks: dict[str, Any]) -> dict[str, Any]:
    s = Stack(App(targets=["terraform"]), "s", url="https://vault.example.com", namespace="ml")
    key_in(s, "k")
    for number, block in enumerate(blocks):
        TerraformBlock(s, f"b{number}", block=block)
    return terraform(s)


BACKEND = {"s3": {"bucket": "b", "key": "k", "region": "r"}}


def test_providers_may_be_a_list_of_parts() -> None:
    parts: Any = [{"vault": {"alias": "dr", "address": "https://dr:8200"}}, {"aws": {"region": "eu-west-1"}}]
    found = made({"provider": parts})["provider"]
    assert [entry.get("alias") for entry in found["vault"]] == [None, "dr"]
    assert found["aws"] == [{"region": "eu-west-1"}]


@pytest.mark.parametrize("listed", [True, False])
def test_a_backend_keeps_the_required_providers(listed: bool) -> None:
    block: Any = {"backend": BACKEND, "required_providers": {"aws": {"source": "hashicorp/aws"}}}
    found = made({"terraform": [block] if listed else block})["terraform"]
    assert found["backend"] == BACKEND
    assert set(found["required_providers"]) == {"vault", "aws"}
    assert found["required_version"] == ">= 1.5.0"


def test_a_program_may_set_the_versions() -> None:
    found = made({"terraform": {"required_version": ">= 1.9", "required_providers": {"vault": {"version": "5.9.0"}}}})
    assert found["terraform"]["required_version"] == ">= 1.9"
    assert found["terraform"]["required_providers"]["vault"] == {
        "source": "registry.terraform.io/hashicorp/vault",
        "version": "5.9.0",
    }


@pytest.mark.parametrize("listed", [True, False])
def test_an_alias_of_the_provider_keeps_the_default_one(listed: bool) -> None:
    alias: Any = {"alias": "other", "address": "https://other"}
    found = made({"provider": {"vault": [alias] if listed else alias}}, {"provider": {"aws": {"region": "r"}}})
    assert found["provider"] == {
        "vault": [{"address": "https://vault.example.com", "namespace": "ml"}, alias],
        "aws": [{"region": "r"}],
    }


def test_settings_of_the_default_provider_are_added() -> None:
    login = {"path": "auth/approle/login", "parameters": {"role_id": "r"}}
    found = made({"provider": {"vault": {"auth_login": login, "address": "https://new"}}})
    assert found["provider"]["vault"] == [{"address": "https://new", "namespace": "ml", "auth_login": login}]


@pytest.mark.parametrize("kind", ["import", "moved", "removed"])
def test_blocks_that_may_be_repeated_are_all_kept(kind: str) -> None:
    one, two, three = ({"to": f"vault_mount.{name}", "id": name} for name in "abc")
    assert made({kind: [one, two]}, {kind: three})[kind] == [one, two, three]


def test_blocks_with_names_are_merged_deeply() -> None:
    found = made(
        {"resource": {"vault_mount": {"a": {"path": "a"}}}, "locals": {"x": 1}},
        {"resource": {"vault_mount": {"b": {"path": "b"}, "a": {"type": "kv"}}}, "locals": {"y": 2}},
    )
    assert found["resource"]["vault_mount"] == {"a": {"path": "a", "type": "kv"}, "b": {"path": "b"}}
    assert found["locals"] == {"x": 1, "y": 2}
    assert "k" in found["resource"]["vault_transit_secret_backend_key"]


def test_blocks_may_be_lists_of_parts() -> None:
    found = made(
        {"locals": [{"x": 1}, {"y": 2}], "resource": [{"vault_mount": {"a": {"path": "a"}}}]},
        {"locals": {"z": 3}, "resource": [{"vault_mount": {"b": {"path": "b"}}}]},
    )
    assert found["locals"] == {"x": 1, "y": 2, "z": 3}
    assert found["resource"]["vault_mount"] == {"a": {"path": "a"}, "b": {"path": "b"}}


def test_two_values_of_one_argument_are_refused_with_the_line() -> None:
    with pytest.raises(AppInvalid, match=r"\[s/b1\] \(test_blocks.py:\d+\) .* sets locals.x as well"):
        made({"locals": {"x": 1}}, {"locals": {"x": 2}})
    with pytest.raises(AppInvalid, match=r"resource.vault_transit_secret_backend_key.k.name"):
        made({"resource": {"vault_transit_secret_backend_key": {"k": {"name": "other"}}}})


def test_a_block_of_the_program_is_not_changed() -> None:
    block: Any = {"resource": {"vault_mount": {"a": {"path": "a"}}}}
    s = Stack(App(targets=["terraform"]), "s")
    vault.TransitSecretBackend(s, "engine", path="p")
    TerraformBlock(s, "b", block=block)
    terraform(s)
    assert block == {"resource": {"vault_mount": {"a": {"path": "a"}}}}


@pytest.mark.parametrize("listed", [BACKEND, [{"s3": [BACKEND["s3"]]}], [BACKEND, {"s3": {"encrypt": True}}]])
def test_a_backend_may_be_a_list_of_parts(listed: Any) -> None:
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    TerraformBlock(one, "state", block={"terraform": {"backend": listed}})
    export("version", key_in(one).latest_version, scope=two)
    read = terraform(two)["data"]["terraform_remote_state"]["one"]
    assert read["backend"] == "s3"
    assert BACKEND["s3"].items() <= read["config"].items()


def test_a_second_backend_of_a_stack_is_refused_with_its_line() -> None:
    with pytest.raises(AppInvalid, match=r"\[s/b1\] \(test_blocks.py:\d+\) the backend 'gcs' is the second one"):
        made({"terraform": {"backend": BACKEND}}, {"terraform": {"backend": {"gcs": {"bucket": "b"}}}})
    with pytest.raises(AppInvalid, match=r"\[s/b0\] .* the backend 'gcs' is the second one of the stack, after 's3'"):
        made({"terraform": {"backend": {**BACKEND, "gcs": {"bucket": "b"}}}})


@pytest.mark.parametrize(
    ("backend", "lacks"), [({"s3": {}}, "bucket, key"), ({"s3": {"bucket": "b"}}, "key"), (BACKEND, "")]
)
@pytest.mark.parametrize("read", [True, False])
def test_a_partial_backend_that_another_stack_reads_is_a_warning(
    backend: dict[str, Any], lacks: str, *, read: bool
) -> None:
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    TerraformBlock(one, "state", block={"terraform": {"backend": backend}})
    key = key_in(one)
    vault.TransitSecretBackend(two, "engine")
    if read:
        export("version", key.latest_version, scope=two)
    found = [str(one) for one in synthesize(app).warnings]
    assert [f"warning partial-backend: the backend 's3' lacks {lacks}, " in one for one in found] == (
        [True] if lacks and read else []
    )


def test_a_block_may_use_the_version_of_a_key() -> None:
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    version = key_in(one).latest_version
    for part in (one, two):
        TerraformBlock(part, "b", block={"locals": {"v": f"v{version}"}})
    assert terraform(one)["locals"] == {"v": "v${vault_transit_secret_backend_key.key.latest_version}"}
    assert terraform(two)["locals"]["v"].startswith("v${data.terraform_remote_state.one.outputs.")
    ((_, output),) = terraform(one)["output"].items()
    assert output["value"] == "${vault_transit_secret_backend_key.key.latest_version}"


def test_a_block_cannot_use_what_terraform_does_not_know() -> None:
    s = Stack(App(), "s")
    theirs = vault.TransitSecretBackendKey.from_existing(s, "theirs", name="theirs")
    secret = key_in(s).encrypt(Secret.env("A"))
    TerraformBlock(s, "a", block={"locals": {"v": theirs.latest_version}})
    TerraformBlock(s, "b", block={"locals": {"c": secret.ciphertext}})
    first, second = problems(s)
    assert "'s/theirs', which Terraform cannot know" in first
    assert "which is only known after deployment" in second
