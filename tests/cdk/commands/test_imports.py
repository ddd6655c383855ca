# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys synth --with-imports`: what exists on the server gets an import block of Terraform."""

from __future__ import annotations

import json
from typing import Any

from tests.cdk.commands.sites import Site
from tests.support.server import policy_token

PROGRAM = """
with Stack(App(TARGETS), "prod"):
    engine = vault.TransitSecretBackend("engine", path="ENGINE")
    key = vault.TransitSecretBackendKey("key", backend=engine.path, name="there")
    vault.TransitSecretBackendKey("missing", backend=engine.path, name="not-there")
    vault.Policy("ENGINE").allow("a", "read")
    key.grant_decrypt(vault.AppRole("role", name="ENGINE-role"))
"""


def test_what_exists_is_imported_and_nothing_else(site: Site) -> None:
    site.write(PROGRAM.replace("TARGETS", ""))
    file = site.folder / "mlkeys.out" / "terraform" / "prod" / "imports.tf.json"
    site.run("synth", "--with-imports")
    assert not file.exists()
    site.bao.done("POST", f"sys/mounts/{site.engine}", {"type": "transit"})
    site.bao.done("POST", f"{site.engine}/keys/there")
    site.bao.done("POST", f"sys/policies/acl/{site.engine}", {"policy": 'path "a" { capabilities = ["read"] }'})
    try:
        site.run("synth", "--with-imports")
        blocks = json.loads(file.read_text())["import"]
        assert blocks == [
            {"to": "vault_mount.engine", "id": site.engine},
            {"to": "vault_transit_secret_backend_key.key", "id": f"{site.engine}/keys/there"},
            {"to": f"vault_policy.{site.engine}", "id": site.engine},
        ]
        resources: dict[str, Any] = json.loads((file.parent / "cdk.tf.json").read_text())["resource"]
        for kind, name in (block["to"].split(".") for block in blocks):
            assert name in resources[kind]
        site.run("synth", "--with-imports", "--check")
        # Without the option, it is a file of an earlier run.
        site.run("synth")
        assert not file.exists()
    finally:
        site.bao.done("DELETE", f"sys/policies/acl/{site.engine}")


def test_what_the_server_refuses_is_not_missing(site: Site) -> None:
    site.write(PROGRAM.replace("TARGETS", ""))
    with policy_token(site.bao, 'path "a" { capabilities = ["read"] }') as token:
        _, shown = site.run("synth", "--with-imports", status=1, login={"BAO_TOKEN": token})
    assert "Permission denied" in shown
    assert not (site.folder / "mlkeys.out").exists()
    site.write(PROGRAM.replace("TARGETS", 'targets=["ansible"]'))
    assert "needs the target 'terraform'" in site.run("synth", "--with-imports", status=1)[1]
