# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The stack of `test_provider` as a program of cdktn. Writes it into the folder that it is given."""

from __future__ import annotations

import sys

from cdktn import App, TerraformStack
from cdktn_provider_vault import (
    approle_auth_backend_role,
    mount,
    policy,
    provider,
    transit_secret_backend_key,
    transit_secret_cache_config,
)


def main(folder: str) -> None:
    app = App(outdir=folder)
    s = TerraformStack(app, "parity")
    provider.VaultProvider(s, "vault")
    # It does not escape, so the program has to.
    engine = mount.Mount(s, "transit", path="transit", type="transit", description="for $${everyone}")
    key = transit_secret_backend_key.TransitSecretBackendKey(
        s,
        "ml-api-key",
        backend=engine.path,
        name="ml-api-key",
        type="aes256-gcm96",
        auto_rotate_period=30 * 86400,
        derived=True,
    )
    transit_secret_cache_config.TransitSecretCacheConfig(s, "cache", backend=engine.path, size=500)
    rules = f'path "{key.backend}/encrypt/{key.name}" {{\n  capabilities = ["update"]\n}}\n'
    ci = policy.Policy(s, "ci", name="ci", policy=rules)
    approle_auth_backend_role.ApproleAuthBackendRole(
        s, "role", role_name="ci", backend="approle", token_policies=[ci.name], token_ttl=3600
    )
    app.synth()


if __name__ == "__main__":
    main(sys.argv[1])
