# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A program with every construct, for the golden files."""

from __future__ import annotations

from mlkeys import (
    Agent,
    Annotations,
    AnsibleTask,
    App,
    Duration,
    EncryptedVars,
    HostConfig,
    Inventory,
    Secret,
    Stack,
    Template,
    TerraformBlock,
    export,
)
from mlkeys import transit as vault

app = App()
with Stack(app, "main", url="https://bao.example.com:8200", namespace="ml", description="One of everything") as main:
    engine = vault.TransitSecretBackend(
        "engine",
        path="ml/transit",
        description="costs ${5}, {{ braces }} and 100%{",
        default_lease_ttl="12h",
        max_lease_ttl=Duration.days(30),
        options={"a": "b"},
        passthrough_request_headers=["X-Team"],
    )
    vault.TransitSecretCacheConfig("cache", backend=engine.path, size=500)
    key = vault.TransitSecretBackendKey(
        "providers",
        backend=engine.path,
        name="providers",
        type="xchacha20-poly1305",
        derived=True,
        convergent_encryption=False,
        exportable=False,
        auto_rotate_period="90d",
        min_decryption_version=1,
        min_encryption_version=0,
        deletion_allowed=True,
    )
    signing = vault.TransitSecretBackendKey("signing", backend=engine.path, name="signing", type="hmac", key_size=32)
    signing.add_override("lifecycle.ignore_changes", ["key_size"], target="terraform")
    shared = vault.TransitSecretBackendKey.from_existing("shared", name="shared", backend="elsewhere/transit")

    web = Inventory("hosts").group(
        "web", {"web-1.example.com": {"port": 1}, "web-2.example.com": {}}, variables={"root": Template("{{ '/srv' }}")}
    )
    secrets = EncryptedVars(
        "keys",
        key=key,
        hosts=web,
        secrets={
            "openai": Secret.env("OPENAI_API_KEY"),
            "from_file": Secret.file("secrets/token"),
            "asked": Secret.prompt("What is the password?"),
            "from_kv": Secret.kv("teams/ml", "token", mount="kv"),
            "made": Secret.generated(40),
        },
    )
    wrapped = shared.encrypt(key.decrypt(secrets["openai"]), name="wrapped")

    data = {"key": secrets["openai"], "url": f"https://{key.name}.example.com/{{id}}", "version": key.latest_version}
    HostConfig("as-json", hosts=web, json={"a": [1, None, True, data]}, dest="/etc/app/a.json")
    HostConfig(
        "as-yaml", hosts=web, yaml={"a": [1, None, True, data]}, dest="/etc/app/a.yaml", owner="app", group="app"
    )
    HostConfig("as-toml", hosts=web, toml={"a": data, "b": [1, 2]}, dest=Template("{{ root }}/a.toml"), restart="app")
    HostConfig("as-env", hosts=web, env={"KEY": secrets["openai"], "N": 5}, dest="/etc/app/.env")
    HostConfig(
        "as-environment-file", hosts=web, environment_file={"KEY": secrets["openai"]}, dest="/etc/app/environment"
    )
    HostConfig("as-exports", hosts=web, exports={"KEY": secrets["openai"], "IT": "it's"}, dest="/etc/app/keys.sh")
    HostConfig(
        "plain",
        hosts=web,
        env={"KEY": f"{key.decrypt(secrets['openai'])}"},
        dest="/etc/app/plain",
        delivery="plaintext",
    )

    auth = vault.AppRoleAuth("approle", description="machines")
    role = vault.AppRole("gateway", backend=auth.path, token_ttl="1h", token_no_default_policy=True)
    key.grant_decrypt(role, secrets=("openai",))
    HostConfig(
        "agent",
        hosts=web,
        agent=Agent(["/usr/bin/app", "--serve"], {"OPENAI_API_KEY": secrets["openai"]}, role),
        dest="/etc/systemd/system/app.service",
    )
    operator = vault.Policy("operator", description="Rotates and rewraps")
    key.grant_rotate(operator)
    key.grant_rewrap(operator)
    signing.grant_rotate(operator)

    releases = vault.TransitSecretBackendKey("releases", backend=engine.path, name="releases", type="rsa-2048")
    release = releases.sign(f"release 1.0 of {key.name}", signature_algorithm="pkcs1v15", hash_algorithm="sha2-512")
    former = releases.verify("release ${0}.9", "vault:v1:Zm9ybWVy", signature_algorithm="pss", salt_length="hash")
    HostConfig("signed", hosts=web, json={"signature": f"{release}"}, dest="/etc/app/release.json")

    AnsibleTask("note", task={"ansible.builtin.debug": {"msg": f"{key.name} is at {{{{ inventory_hostname }}}}"}})
    TerraformBlock("locals", block={"locals": {"path": engine.path, "joined": f'${{upper("x")}}-{key.name}'}})

    export("path", engine.path, description="where")
    export("version", key.latest_version)
    export("ciphertext", f"{wrapped} of {key.name}")
    export("plaintext", key.decrypt(secrets["openai"]))
    export("number", 3)
    export("release", release)
    export("former", former.valid)
    Annotations.of(key).info("ask the ML team before changing this")
    Annotations.of(signing).warning("short", "32 bytes are the least")

with Stack(app, "in-state", terraform_secrets="state"):
    state_key = vault.TransitSecretBackendKey("key", backend=engine.path, name="in-state", derived=True)
    sealed = state_key.encrypt(Secret.env("STATE_SECRET"))
    export("sealed", sealed)
    export("opened", state_key.decrypt(sealed))

with Stack(app, "ephemeral", terraform_secrets="ephemeral", terraform_kv="kv"):
    ephemeral_key = vault.TransitSecretBackendKey("key", backend=engine.path, name="ephemeral", derived=True)
    export("gone", ephemeral_key.encrypt(Secret.env("EPHEMERAL_SECRET")))
