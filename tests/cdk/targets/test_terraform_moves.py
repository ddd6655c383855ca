# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Terraform moves what has another id, and lowers no floors: plans over a state that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkeys import Secret
from mlkeys import transit as vault
from tests.cdk.apps import files, stack
from tests.cdk.terraforming import NEEDS_BINARY, Terraform, written

pytestmark = NEEDS_BINARY


def test_a_rotation_is_left_alone_and_a_renamed_construct_is_moved(terraform: Terraform, tmp_path: Path) -> None:
    def configuration(id_: str, **given: Any) -> dict[str, Any]:
        s = stack()
        key = vault.TransitSecretBackendKey(s, id_, backend="transit", name="k", **given)
        key.encrypt(Secret.env("A"))
        made: dict[str, Any] = json.loads(files(s)["terraform/s/cdk.tf.json"])
        return made

    (tmp_path / "out" / "terraform").mkdir(parents=True)
    folder = written(configuration("old"), tmp_path / "out" / "terraform" / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.deploy(folder)
    # As if a rotation had raised the floors.
    state = json.loads((folder / "terraform.tfstate").read_text())
    state["resources"][0]["instances"][0]["attributes"] |= {"min_decryption_version": 3, "min_encryption_version": 3}
    (folder / "terraform.tfstate").write_text(json.dumps(state))
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")
    (folder / "cdk.tf.json").write_text(json.dumps(configuration("new", aliases=["old", "transit/former"])))
    shown = terraform.run(folder, "plan", "-input=false", "-no-color")
    assert "vault_transit_secret_backend_key.old has moved to vault_transit_secret_backend_key.new" in shown
    assert "0 to add, 0 to change, 0 to destroy" in shown
    (folder / "cdk.tf.json").write_text(json.dumps(configuration("old", min_decryption_version=1)))
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode", status=2)
    # The record of the rotation comes before what the program sets, unless that is more.
    (tmp_path / "mlkeys.state" / "s").mkdir(parents=True)
    (tmp_path / "mlkeys.state" / "s" / "floors.json").write_text(json.dumps({"transit/k": 3}))
    for lower in ({"min_decryption_version": 1}, {"min_encryption_version": 0}, {"min_decryption_version": 2}):
        (folder / "cdk.tf.json").write_text(json.dumps(configuration("old", **lower)))
        terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")
    (folder / "cdk.tf.json").write_text(json.dumps(configuration("old", min_decryption_version=4)))
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode", status=2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lifecycle.ignore_changes", ["auto_rotate_period"]),
        ("lifecycle.ignore_changes", "all"),
        ("lifecycle.ignore_changes", None),
        ("lifecycle", {"ignore_changes": ["auto_rotate_period"], "prevent_destroy": True}),
        ("lifecycle", None),
        ("min_decryption_version", 1),
        ("min_decryption_version", "${1 + 1}"),
    ],
)
def test_no_override_lowers_the_floors_after_a_rotation(
    path: str, value: object, terraform: Terraform, tmp_path: Path
) -> None:
    s = stack()
    key = vault.TransitSecretBackendKey(s, "k", backend="transit", name="k")
    key.add_override(path, value, target="terraform")
    key.encrypt(Secret.env("A"))
    (tmp_path / "out" / "terraform").mkdir(parents=True)
    folder = written(json.loads(files(s)["terraform/s/cdk.tf.json"]), tmp_path / "out" / "terraform" / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.deploy(folder)
    rotated(tmp_path, folder)
    terraform.run(folder, "plan", "-input=false", "-detailed-exitcode")


def rotated(root: Path, folder: Path) -> None:
    """As if a rotation had raised the floors, and recorded that."""
    state = json.loads((folder / "terraform.tfstate").read_text())
    state["resources"][0]["instances"][0]["attributes"] |= {"min_decryption_version": 3, "min_encryption_version": 3}
    (folder / "terraform.tfstate").write_text(json.dumps(state))
    (root / "mlkeys.state" / "s").mkdir(parents=True)
    (root / "mlkeys.state" / "s" / "floors.json").write_text(json.dumps({"transit/k": 3}))


RENAMED: dict[str, Callable[..., Any]] = {
    "vault_mount": lambda s, id_, **more: vault.TransitSecretBackend(s, id_, path="p", **more),
    "vault_transit_secret_backend_key": lambda s, id_, **more: vault.TransitSecretBackendKey(
        s, id_, backend="transit", name="k", **more
    ),
    "vault_transit_secret_cache_config": lambda s, id_, **more: vault.TransitSecretCacheConfig(
        s, id_, backend="transit", size=500, **more
    ),
    "vault_auth_backend": lambda s, id_, **more: vault.AppRoleAuth(s, id_, path="roles", **more),
    "vault_approle_auth_backend_role": lambda s, id_, **more: vault.AppRole(
        s, id_, backend="roles", name="r", token_policies=["a"], **more
    ),
    "vault_policy": lambda s, id_, **more: vault.Policy(s, id_, name="p", **more).allow("a", "read"),
}


@pytest.mark.parametrize("former", ["first", "second"])
def test_a_construct_that_was_renamed_twice_is_moved_from_either_id(
    former: str, terraform: Terraform, tmp_path: Path
) -> None:
    def configuration(id_: str, **given: Any) -> dict[str, Any]:
        s = stack()
        for number, make in enumerate(RENAMED.values()):
            names = {key: [f"{one}{number}" for one in ids] for key, ids in given.items()}
            made = make(s, f"{id_}{number}", **names)
            if isinstance(made, vault.AppRole):
                # What is below it has its id in its address.
                vault.TransitSecretBackendKey(s, "d", backend="other", name="d").grant_decrypt(made)
        written: dict[str, Any] = json.loads(files(s)["terraform/s/cdk.tf.json"])
        return written

    (tmp_path / "out" / "terraform").mkdir(parents=True)
    folder = written(configuration(former), tmp_path / "out" / "terraform" / "s")
    terraform.run(folder, "init", "-input=false")
    terraform.deploy(folder)
    new = configuration("present", aliases=["first", "second"])
    (folder / "cdk.tf.json").write_text(json.dumps(new))
    shown = terraform.run(folder, "plan", "-input=false", "-no-color")
    for number, kind in enumerate(RENAMED):
        assert f"{kind}.{former}{number} has moved to {kind}.present{number}" in shown
    assert "0 to add, 0 to change, 0 to destroy" in shown
