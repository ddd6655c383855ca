# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Terraform validates, plans and applies generated configurations, with a stand-in provider of the real schema."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._access.policy import policy_text

from mlkeys import App, Construct, Secret, Stack, TerraformBlock, export
from mlkeys import transit as vault
from mlkeys._record.record import Record
from tests.cdk.apps import WITH_TERRAFORM, configurations, files, key_in, stack
from tests.cdk.terraforming import NEEDS_BINARY, PLAINTEXT, Terraform, holders, kept, written

pytestmark = NEEDS_BINARY


@pytest.mark.parametrize("name", WITH_TERRAFORM)
def test_whole_programs_are_deployed_without_a_trace_of_secrets(
    name: str, terraform: Terraform, tmp_path: Path
) -> None:
    for stack_name, configuration in configurations(name).items():
        if "variable" not in configuration:  # a stack that sets `terraform_secrets` has some: see below
            folder = written(configuration, tmp_path / stack_name)
            terraform.deploy(folder)
            assert "terraform.tfstate" in kept(folder)
            assert not holders(folder, PLAINTEXT)
            # A signature is not a secret, and begins like a ciphertext.
            other = [asked["type"] for asked in terraform.asked if asked["verb"] != "apply"]
            assert {*other} <= {"vault_transit_sign", "vault_transit_verify"}
            assert other or not holders(folder, "vault:v")
            terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")


def test_ephemeral_secrets_are_in_neither_plan_nor_state(terraform: Terraform, tmp_path: Path) -> None:
    folder = written(configurations("everything")["ephemeral"], tmp_path / "ephemeral")
    terraform.deploy(folder, ephemeral_secret=PLAINTEXT)
    assert not holders(folder, PLAINTEXT) | holders(folder, base64.b64encode(PLAINTEXT.encode()).decode())
    assert not holders(folder, "vault:v")
    # The plan sent no requests: the key did not exist yet.
    key, encryption, kv = terraform.asked
    assert (key["verb"], key["type"]) == ("apply", "vault_transit_secret_backend_key")
    assert encryption["values"]["path"] == "ml/transit/encrypt/ephemeral"
    sent = json.loads(encryption["values"]["data_json"])
    assert {name: base64.b64decode(text).decode() for name, text in sent.items()} == {
        "plaintext": PLAINTEXT,
        "context": "ephemeral_secret",
    }
    assert kv["values"]["mount"] == "kv"
    assert kv["values"]["name"] == "ephemeral/ephemeral_secret"
    assert json.loads(kv["values"]["data_json_wo"])["ciphertext"].startswith("vault:v1:")


def test_ephemeral_ciphertexts_are_written_again_on_request_alone(terraform: Terraform, tmp_path: Path) -> None:
    folder = written(configurations("everything")["ephemeral"], tmp_path / "ephemeral")
    terraform.deploy(folder, ephemeral_secret="the first")
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode", ephemeral_secret="the second")
    terraform.deploy(folder, ephemeral_secret="the second", ciphertexts_version="2")
    first, second = [asked["values"]["data_json_wo"] for asked in terraform.asked if "kv" in asked["type"]]
    assert first != second


def test_with_state_secrets_the_state_holds_plaintext(terraform: Terraform, tmp_path: Path) -> None:
    """As the warning of this mode explains, the state shows the secrets."""
    folder = written(configurations("everything")["in-state"], tmp_path / "in-state")
    terraform.deploy(folder, state_secret=PLAINTEXT)
    assert [asked["type"] for asked in terraform.asked] == [
        "vault_transit_secret_backend_key",
        "vault_transit_encrypt",
        "vault_transit_decrypt",
    ]
    assert "terraform.tfstate" in holders(folder, PLAINTEXT) & holders(folder, "vault:v1:")
    outputs = json.loads(terraform.run(folder, "output", "-json"))
    assert outputs["opened"] == {"sensitive": True, "type": "string", "value": PLAINTEXT}
    assert outputs["sealed"]["value"].startswith("vault:v1:")


def test_a_real_project_with_state_imports_and_a_second_server(terraform: Terraform, tmp_path: Path) -> None:
    s = stack()
    keys = [key_in(s, f"k{number}") for number in range(2)]
    TerraformBlock(s, "state", block={"terraform": {"backend": {"local": {"path": "here.tfstate"}}}})
    TerraformBlock(s, "second", block={"provider": {"vault": {"alias": "second", "address": "https://second"}}})
    for key in keys:
        address = f"vault_transit_secret_backend_key.{key.node.id}"
        TerraformBlock(s, f"moved-{key.node.id}", block={"moved": {"from": f"{address}_old", "to": address}})
    vault.Policy(s, "p", description="What it is for").allow("a", "read")
    (tmp_path / "out" / "terraform").mkdir(parents=True)
    folder = written(json.loads(files(s)["terraform/s/cdk.tf.json"]), tmp_path / "out" / "terraform" / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.deploy(folder)
    assert (folder / "here.tfstate").exists()
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")
    # The policy that a deployment of the other target leaves, which has a record then.
    (tmp_path / "mlkeys.state" / "s").mkdir(parents=True)
    (tmp_path / "mlkeys.state" / "s" / "record.json").write_text(Record("12ab", "app.py", "s").text())
    (first,) = [asked["values"]["policy"] for asked in terraform.asked if asked["type"] == "vault_policy"]
    terraform.deploy(folder)
    _, second = [asked["values"]["policy"] for asked in terraform.asked if asked["type"] == "vault_policy"]
    assert second == policy_text([], first.strip(), "Managed by program app.py, stack s, owner 12ab")


@pytest.mark.parametrize("state", ["terraform.tfstate", "here.tfstate"])
def test_a_stack_reads_the_state_of_another_one(state: str, terraform: Terraform, tmp_path: Path) -> None:
    app = App()
    one, two = (Stack(app, name, terraform_secrets="state") for name in ("one", "two"))
    key = key_in(one)
    secret = key.encrypt(Secret.env("STATE_SECRET"))
    for name, value in (("version", f"v{key.latest_version}"), ("sealed", secret), ("opened", key.decrypt(secret))):
        export(name, value, scope=two)
    if state != "terraform.tfstate":
        TerraformBlock(one, "state", block={"terraform": {"backend": {"local": {"path": state}}}})
    made = files(one)
    for name in ("one", "two"):
        folder = written(json.loads(made[f"terraform/{name}/cdk.tf.json"]), tmp_path / name)
        terraform.run(folder, "init", "-input=false")
        terraform.deploy(folder, **({"state_secret": PLAINTEXT} if name == "one" else {}))
    assert (tmp_path / "one" / state).exists()
    outputs = json.loads(terraform.run(tmp_path / "two", "output", "-json"))
    assert outputs["version"]["value"] == "v1"
    assert outputs["sealed"]["value"].startswith("vault:v1:")
    assert outputs["opened"] == {"sensitive": True, "type": "string", "value": PLAINTEXT}
    terraform.run(tmp_path / "two", "plan", "-input=false", "-detailed-exitcode")


@pytest.mark.parametrize(
    "given", [{"terraform_auth": "approle"}, {"terraform_auth": "jwt", "terraform_auth_role": "ci"}]
)
def test_the_provider_logs_in_with_variables(given: dict[str, Any], terraform: Terraform, tmp_path: Path) -> None:
    s = Stack(App(), "s", terraform_auth_path="ci-${x}", **given)
    key_in(s)
    folder = written(json.loads(files(s)["terraform/s/cdk.tf.json"]), tmp_path / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.run(folder, "validate")
    credentials = {"vault_role_id": PLAINTEXT, "vault_secret_id": PLAINTEXT, "vault_jwt": PLAINTEXT}
    terraform.deploy(folder, **credentials)
    assert "terraform.tfstate" not in holders(folder, PLAINTEXT)


def test_a_large_scope_waits_for_a_large_scope(terraform: Terraform, tmp_path: Path) -> None:
    s = stack()
    first, second = Construct(s, "first"), Construct(s, "second")
    for number in range(40):
        key_in(first, f"a{number}")
        key_in(second, f"b{number}")
    second.node.add_dependency(first)
    folder = written(json.loads(files(s)["terraform/s/cdk.tf.json"]), tmp_path / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.deploy(folder)
    order = [asked["values"]["name"] for asked in terraform.asked if asked["verb"] == "apply"]
    assert {name[0] for name in order[:40]} == {"a"}
    assert len(order) == 80
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")


def misspelt(configuration: dict[str, Any]) -> None:
    configuration["resource"]["vault_transit_secret_backend_key"]["key"]["deletion_alowed"] = True


def of_another_type(configuration: dict[str, Any]) -> None:
    configuration["resource"]["vault_transit_secret_backend_key"]["key"]["auto_rotate_period"] = "soon"


def left_out(configuration: dict[str, Any]) -> None:
    del configuration["resource"]["vault_transit_secret_backend_key"]["key"]["backend"]


def read_only(configuration: dict[str, Any]) -> None:
    configuration["resource"]["vault_transit_secret_backend_key"]["key"]["latest_version"] = 3


def unknown(configuration: dict[str, Any]) -> None:
    configuration["resource"]["vault_transit_key"] = {"key": {"name": "key"}}


def dangling(configuration: dict[str, Any]) -> None:
    configuration["output"] = {"o": {"value": "${vault_transit_secret_backend_key.nope.name}"}}


def kept_although_ephemeral(configuration: dict[str, Any]) -> None:
    (body,) = configuration["resource"]["vault_kv_secret_v2"].values()
    body["data_json"] = body.pop("data_json_wo")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (misspelt, 'No argument or block type is named "deletion_alowed"'),
        (of_another_type, "a number is required"),
        (left_out, 'The argument "backend" is required'),
        (read_only, 'Can\'t configure a value for "latest_version"'),
        (unknown, 'does not support resource type "vault_transit_key"'),
        (dangling, '"vault_transit_secret_backend_key" "nope" has not been declared'),
        (kept_although_ephemeral, 'Ephemeral values are not valid for "data_json"'),
    ],
)
def test_a_broken_configuration_is_refused(
    damage: Callable[[dict[str, Any]], None], message: str, terraform: Terraform, tmp_path: Path
) -> None:
    configuration = configurations("everything")["ephemeral"]
    damage(configuration)
    shown = json.loads(terraform.run(written(configuration, tmp_path / "broken"), "validate", "-json", status=1))
    text = " ".join(f"{problem['summary']} {problem['detail']}" for problem in shown["diagnostics"])
    assert message in " ".join(text.split())
