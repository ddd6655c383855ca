# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Terraform JSON: addresses, lifecycle, secrets, and mistakes that other generators make."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest

from mlkeys import (
    Annotations,
    App,
    AppInvalid,
    Construct,
    Duration,
    HostConfig,
    Inventory,
    Secret,
    Stack,
    TerraformBlock,
    export,
)
from mlkeys import transit as vault
from mlkeys._analysis.view import View
from mlkeys._model.stack import root_of
from mlkeys._synthesis.synth import synthesize
from mlkeys._targets.names import terraform_name
from mlkeys._targets.terraform.former import importable
from tests.cdk.apps import files, key_in, problems, stack, tasks, terraform
from tests.cdk.readers import terraform_template


def test_names_that_look_alike_are_kept_apart() -> None:
    """CDKTF drops one of them without a word."""
    s = stack()
    for number, name in enumerate(["a.b", "ab", "a_b", "a-b", "A.b"]):
        vault.TransitSecretBackend(s, name, path=f"p{number}")
    mounts = terraform(s)["resource"]["vault_mount"]
    assert sorted(body["path"] for body in mounts.values()) == [f"p{number}" for number in range(5)]


def test_nested_and_flat_paths_are_kept_apart() -> None:
    s = stack()
    outer = vault.TransitSecretBackend(s, "a", path="1")
    vault.TransitSecretBackend(outer, "b", path="2")
    vault.TransitSecretBackend(s, "a_b", path="3")
    assert len(terraform(s)["resource"]["vault_mount"]) == 3


def test_a_value_of_another_stack_is_rendered_as_the_value_not_as_an_address() -> None:
    """CDKTF's test helper writes an address of the other stack."""
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    engine = vault.TransitSecretBackend(one, "engine", path="shared")
    vault.TransitSecretBackendKey(two, "key", backend=engine.path, name="k")
    assert terraform(two)["resource"]["vault_transit_secret_backend_key"]["key"]["backend"] == "shared"
    manifest = json.loads(files(two)["manifest.json"])
    assert manifest["stacks"]["two"]["dependencies"] == ["one"]


def test_no_stack_is_written_while_another_has_a_problem() -> None:
    """CDKTF writes the first before it checks the second."""
    app = App()
    vault.TransitSecretBackend(Stack(app, "right"), "e", path="e")
    vault.TransitSecretBackend(Stack(app, "wrong"), "e", path="")
    with pytest.raises(AppInvalid):
        synthesize(app)


def test_two_stacks_of_one_id_are_refused() -> None:
    """CDKTF lets them share an entry of its manifest."""
    app = App()
    Stack(Construct(app, "x"), "same")
    Stack(Construct(app, "y"), "same")
    with pytest.raises(AppInvalid, match="to the same folder"):
        synthesize(app)


def test_two_engines_on_one_path_are_refused() -> None:
    """CDKTF accepts them."""
    s = stack()
    vault.TransitSecretBackend(s, "a", path="same")
    vault.TransitSecretBackend(s, "b", path="same")
    assert any("defined twice" in text for text in problems(s))


def test_what_is_below_a_renamed_construct_is_moved_with_it() -> None:
    s = stack()
    role = vault.AppRole(s, "new", aliases=["old", "taken"])
    key_in(s).grant_decrypt(role)
    vault.AppRole(s, "taken", token_policies=["a"])
    assert terraform(s)["moved"] == [
        {"from": "vault_approle_auth_backend_role.old", "to": "vault_approle_auth_backend_role.new"},
        *(
            {"from": f"vault_policy.{terraform_name(path)}", "to": f"vault_policy.{terraform_name(next_path)}"}
            for path, next_path in (("old/policy", "taken/policy"), ("taken/policy", "new/policy"))
        ),
    ]


def test_what_may_exist_has_the_ids_of_the_provider() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "e", path="team/transit")
    vault.TransitSecretBackendKey(s, "k", backend=engine.path, name="k")
    vault.AppRoleAuth(s, "a", path="roles")
    vault.AppRole(s, "r", backend="roles", token_policies=["p"])
    vault.Policy(s, "p").allow("x", "read")
    vault.AppRole.from_existing(s, "theirs", name="theirs")
    assert [(one.address, one.id) for one in importable(View(root_of(s)), s)] == [
        ("vault_mount.e", "team/transit"),
        ("vault_transit_secret_backend_key.k", "team/transit/keys/k"),
        ("vault_auth_backend.a", "roles"),
        ("vault_approle_auth_backend_role.r", "auth/roles/role/r"),
        ("vault_policy.p", "p"),
    ]


def test_user_text_is_not_a_template() -> None:
    """CDKTF hands `${` through."""
    s = stack()
    vault.TransitSecretBackend(s, "e", path="e", description='${file("/etc/passwd")} %{ if true }')
    described = terraform(s)["resource"]["vault_mount"]["e"]["description"]
    assert terraform_template(described) == '${file("/etc/passwd")} %{ if true }'


def test_dependencies_stay_dependencies() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="p")
    key = vault.TransitSecretBackendKey(s, "key", backend=engine.path, name=f"{engine.path}-k")
    policy = vault.Policy(s, "policy").allow(f"{engine.path}/keys/{key.name}", "read")
    policy.node.add_dependency(key)
    resources = terraform(s)["resource"]
    body = resources["vault_transit_secret_backend_key"]["key"]
    assert body["backend"] == "${vault_mount.engine.path}"
    assert body["name"] == "${vault_mount.engine.path}-k"
    assert resources["vault_policy"]["policy"]["depends_on"] == ["vault_transit_secret_backend_key.key"]
    assert (
        "${vault_mount.engine.path}/keys/${vault_transit_secret_backend_key.key.name}"
        in resources["vault_policy"]["policy"]["policy"]
    )


@pytest.mark.parametrize(("deletable", "guarded"), [(True, False), (False, True), (None, True)])
def test_an_engine_with_protected_keys_cannot_be_destroyed(deletable: bool | None, guarded: bool) -> None:
    s = stack()
    vault.TransitSecretBackend(s, "engine", path="transit")
    key_in(s, deletion_allowed=deletable)
    assert ("lifecycle" in terraform(s)["resource"]["vault_mount"]["engine"]) is guarded


def test_no_secret_reaches_terraform_unless_asked_by_name() -> None:
    s = stack()
    key = key_in(s)
    export("sealed", key.encrypt(Secret.env("X")), scope=s)
    export("opened", key.decrypt("vault:v1:YWJj"), scope=s)
    export("name", key.name, scope=s)
    text = files(s)["terraform/s/cdk.tf.json"]
    assert set(json.loads(text)["output"]) == {"name"}
    assert not re.search('encrypt"|decrypt"|vault:v1|variable|ephemeral|"data"', text)
    manifest = json.loads(files(s)["manifest.json"])
    assert manifest["stacks"]["s"]["targets"]["terraform"]["omitted_outputs"] == ["opened", "sealed"]


def test_the_state_mode_warns() -> None:
    app = App()
    s = Stack(app, "s", terraform_secrets="state")
    export("sealed", key_in(s).encrypt(Secret.env("X")), scope=s)
    assert "terraform-state-secrets" in files(s)["manifest.json"]
    assert terraform(s)["output"]["sealed"]["value"].startswith("${data.vault_transit_encrypt.")
    assert terraform(s)["variable"]["x"]["sensitive"] is True


def ephemeral_stack() -> Stack:
    return Stack(App(), "s", terraform_secrets="ephemeral")


def test_an_ephemeral_secret_waits_for_a_new_key_and_not_for_an_existing_one() -> None:
    s = ephemeral_stack()
    key_in(s, "made").encrypt(Secret.env("A"))
    vault.TransitSecretBackendKey.from_existing(s, "there", name="there").encrypt(Secret.env("B"))
    paths = {body["path"] for body in terraform(s)["ephemeral"]["vault_generic_endpoint"].values()}
    assert paths == {
        "${vault_transit_secret_backend_key.made.backend}/encrypt/${basename(vault_transit_secret_backend_key.made.id)}",
        "transit/encrypt/there",
    }


def test_the_description_of_a_variable_is_not_a_template() -> None:
    s = ephemeral_stack()
    key_in(s).encrypt(Secret.prompt("${what}?"), name="asked")
    assert terraform(s)["variable"]["asked"]["description"] == "Secret.prompt('$${what}?')"


@pytest.mark.parametrize("name", ["count", "ciphertexts_version"])
def test_a_variable_cannot_have_a_reserved_name(name: str) -> None:
    s = ephemeral_stack()
    key_in(s).encrypt(Secret.env("A"), name=name)
    assert any("is reserved in Terraform" in text for text in problems(s))


def test_overrides_reach_their_target_alone() -> None:
    s = stack()
    key = key_in(s, auto_rotate_period=Duration.hours(2))
    key.add_override("lifecycle.ignore_changes", ["type"], target="terraform")
    key.add_override("rotate_older_than", "30d", target="ansible")
    key.add_override("auto_rotate_period", None)
    body = terraform(s)["resource"]["vault_transit_secret_backend_key"]["key"]
    assert body["lifecycle"] == {"ignore_changes": ["min_decryption_version", "min_encryption_version", "type"]}
    assert "rotate_older_than" not in body
    assert "auto_rotate_period" not in body
    site = files(s)["ansible/s/site.yml"]
    assert 'rotate_older_than: "30d"' in site
    assert "lifecycle" not in site


@pytest.mark.parametrize("given", [{"ignore_changes": ["description"]}, [{"ignore_changes": ["description"]}]])
def test_an_override_of_the_lifecycle_leaves_what_it_does_not_name(given: object) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="transit")
    key = key_in(s)
    for resource in (engine, key):
        resource.add_override("lifecycle", given, target="terraform")
    resources = terraform(s)["resource"]
    assert resources["vault_mount"]["engine"]["lifecycle"] == {
        "prevent_destroy": True,
        "ignore_changes": ["description"],
    }
    assert resources["vault_transit_secret_backend_key"]["key"]["lifecycle"] == {
        "ignore_changes": ["min_decryption_version", "min_encryption_version", "description"]
    }
    engine.add_override("lifecycle.prevent_destroy", None)
    assert "prevent_destroy" not in terraform(s)["resource"]["vault_mount"]["engine"]["lifecycle"]


@pytest.mark.parametrize("mode", ["state", "ephemeral"])
def test_an_existing_key_may_be_derived(mode: Literal["state", "ephemeral"]) -> None:
    s = Stack(App(), "s", terraform_secrets=mode, terraform_kv="kv")
    vault.TransitSecretBackendKey.from_existing(s, "key", name="theirs").encrypt(Secret.env("A"), name="a")
    key_in(s, "own").encrypt(Secret.env("B"), name="b")
    kind, type_ = ("data", "vault_transit_encrypt") if mode == "state" else ("ephemeral", "vault_generic_endpoint")
    theirs, own = terraform(s)[kind][type_].values()
    assert "context" in str(theirs)
    assert "context" not in str(own)


def test_existing_objects_are_not_created() -> None:
    s = stack()
    engine = vault.TransitSecretBackend.from_existing(s, "engine", path="theirs")
    key = vault.TransitSecretBackendKey.from_existing(s, "key", name="theirs", backend=engine.path)
    policy = vault.Policy(s, "policy")
    key.grant_encrypt(policy)
    assert set(terraform(s)["resource"]) == {"vault_policy"}
    assert 'path "theirs/encrypt/theirs"' in terraform(s)["resource"]["vault_policy"]["policy"]["policy"]
    (task,) = tasks(s)
    assert task["mlkeys.transit.vault_transit_policy"]["name"] == "policy"


@pytest.mark.parametrize(
    ("block", "read"),
    [
        ({"backend": {"s3": {"bucket": "b", "key": "k"}}}, {"backend": "s3", "config": {"bucket": "b", "key": "k"}}),
        ({"backend": {"local": [{"path": "/srv/one"}]}}, {"backend": "local", "config": {"path": "/srv/one"}}),
        (
            [{"cloud": {"organization": "o", "workspaces": {"name": "w"}, "token": "${var.t}"}}],
            {"backend": "remote", "config": {"organization": "o", "workspaces": {"name": "w"}}},
        ),
    ],
)
def test_the_state_of_another_stack_is_where_its_blocks_say(block: Any, read: dict[str, Any]) -> None:
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    theirs = vault.TransitSecretBackendKey.from_existing(one, "theirs", name="theirs")
    key = key_in(one)
    TerraformBlock(one, "state", block={"terraform": block})
    export("version", key.latest_version, scope=two)
    # The provider reads no keys.
    export("unknown", theirs.latest_version, scope=two)
    assert terraform(two)["data"]["terraform_remote_state"]["one"] == read
    ((name, output),) = terraform(one)["output"].items()
    assert output == {"value": "${vault_transit_secret_backend_key.key.latest_version}"}
    expected = f"${{data.terraform_remote_state.one.outputs.{name}}}"
    assert {name: body["value"] for name, body in terraform(two)["output"].items()} == {"version": expected}


def warned(part: Stack, id_: str) -> list[str]:
    manifest = json.loads(files(part)["manifest.json"])
    return [text for text in manifest["warnings"] if f"warning {id_}:" in text]


def with_secrets(app: App, **given: Any) -> Stack:
    s = Stack(app, "s", **given)
    key = key_in(s, derived=True)
    sealed = key.encrypt(Secret.env("X"))
    key.encrypt(Secret.generated(), name="made")
    export("sealed", sealed, scope=s)
    export("opened", key.decrypt(sealed), scope=s)
    export("name", key.name, scope=s)
    there = vault.TransitSecretBackendKey.from_existing(s, "there", name="there")
    export("version", there.latest_version, scope=s)
    HostConfig(
        s, "config", hosts=Inventory(s, "hosts").group("web", ["h"]), dest="/etc/x", env={"A": sealed.ciphertext}
    )
    return s


def test_what_terraform_does_not_get_is_named_with_what_to_set() -> None:
    s = with_secrets(App(targets=["terraform"]))
    (text,) = warned(s, "terraform-left-out")
    assert text.endswith(
        "Terraform's configuration leaves out the ciphertexts x, made and the outputs sealed, opened, version and the "
        "file s/config. For secrets, set terraform_secrets='ephemeral' or 'state' on the stack. Terraform cannot read "
        "a key that it does not make. Only the target 'ansible' reaches hosts"
    )
    left = ["ciphertext x", "ciphertext made", "output sealed", "output opened", "output version", "file s/config"]
    assert terraform(s)["//"]["left_out"] == left
    assert warned(s, "terraform-generated") == []


def test_beside_ansible_which_deploys_it_there_is_no_warning() -> None:
    s = with_secrets(App())
    assert warned(s, "terraform-left-out") == []
    left = ["ciphertext x", "ciphertext made", "output sealed", "output opened", "output version"]
    assert terraform(s)["//"]["left_out"] == left


def test_what_each_way_of_secrets_leaves_out() -> None:
    s = with_secrets(App(targets=["terraform"]), terraform_secrets="ephemeral")
    (text,) = warned(s, "terraform-left-out")
    assert "leaves out the outputs sealed, opened, version and the file" in text
    assert "read ciphertexts from the KV engine" in text
    s = with_secrets(App(targets=["terraform"]), terraform_secrets="state")
    (text,) = warned(s, "terraform-left-out")
    assert "leaves out the output version and the file" in text
    assert {"sealed", "opened", "name"} == {*terraform(s)["output"]}


@pytest.mark.parametrize("mode", ["ephemeral", "state"])
def test_a_random_secret_that_terraform_does_not_make_is_named_with_its_variable(
    mode: Literal["ephemeral", "state"],
) -> None:
    s = with_secrets(App(), terraform_secrets=mode)
    (text,) = warned(s, "terraform-generated")
    assert "[s/key/ciphertexts/made] (test_terraform.py:" in text
    assert text.endswith(
        "Terraform does not make the random secret made: give it a value, in the variable made (TF_VAR_made)"
    )
    assert "made" in terraform(s)["variable"]


def test_many_that_are_left_out_are_counted() -> None:
    s = Stack(App(targets=["terraform"]), "s")
    for number in range(8):
        key_in(s, f"key{number}").encrypt(Secret.env(f"X{number}"))
    assert "leaves out the ciphertexts x0, x1, x2, x3, x4 and 3 more. For" in warned(s, "terraform-left-out")[0]
    Annotations.of(s).acknowledge("terraform-left-out")
    assert warned(s, "terraform-left-out") == []
