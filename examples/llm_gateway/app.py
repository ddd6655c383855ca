# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The gateways of this folder as a program. It generates the variables and playbooks that this folder has by hand.

Run it with: mlkeys deploy app.py
"""

from mlkeys import Duration, EncryptedVars, HostConfig, Inventory, Secret, Template, export
from mlkeys import transit as vault

engine = vault.TransitSecretBackend("engine", path="transit", description="API keys of ML providers")

# Derived: each variable's name is part of its encryption, so a ciphertext under another name does not decrypt.
key = vault.TransitSecretBackendKey(
    "ml-api-key",
    backend=engine.path,
    name="ml-api-key",
    type="aes256-gcm96",
    derived=True,
    auto_rotate_period=Duration.days(90),
)

# Three gateways that are folders in hosts/, beside the program. For real hosts, use group() instead of local(), without
# gateway_root.
gateways = Inventory("hosts").local(
    "llm_gateways",
    ["gateway-a", "gateway-b", "gateway-c"],
    variables={
        "gateway_root": Template("{{ inventory_dir }}/../../../../hosts/{{ inventory_hostname }}"),
        "gateway_port": Template("{{ 4001 + groups['llm_gateways'].index(inventory_hostname) }}"),
        "ml_keys_engine": engine.path,
        "ml_keys_key": key.name,
    },
)

provider_keys = EncryptedVars(
    "provider-keys",
    key=key,
    hosts=gateways,
    secrets={
        "openai_api_key": Secret.env("OPENAI_API_KEY"),
        "anthropic_api_key": Secret.env("ANTHROPIC_API_KEY"),
        "gemini_api_key": Secret.env("GEMINI_API_KEY"),
        "mistral_api_key": Secret.env("MISTRAL_API_KEY"),
        "hf_token": Secret.env("HF_TOKEN"),
        "litellm_master_key": Secret.generated(),
    },
)

HostConfig(
    "litellm",
    hosts=gateways,
    template="templates/litellm_config.yaml.j2",
    dest=Template("{{ gateway_root }}/etc/litellm/config.yaml"),
)
HostConfig(
    "assistant-env",
    hosts=gateways,
    template="templates/fastapi.env.j2",
    dest=Template("{{ gateway_root }}/srv/assistant/.env"),
    mode="0600",
)
HostConfig(
    "assistant-settings",
    hosts=gateways,
    toml={
        "service": {"name": "assistant", "debug": False},
        "transit": {"engine": engine.path, "key": key.name},
        "providers": {
            "gemini": {
                "model": "gemini-2.5-flash",
                "api_key": provider_keys["gemini_api_key"],
                "context": "gemini_api_key",
            },
            "mistral": {
                "model": "mistral-large-latest",
                "api_key": provider_keys["mistral_api_key"],
                "context": "mistral_api_key",
            },
        },
    },
    dest=Template("{{ gateway_root }}/srv/assistant/settings.toml"),
)

# The gateways log in with this role. It can decrypt these six secrets, each under its own name, and nothing else.
auth = vault.AppRoleAuth("approle", path="approle")
role = vault.AppRole(
    "gateway",
    backend=auth.path,
    token_ttl=Duration.hours(1),
    token_max_ttl=Duration.hours(4),
    token_no_default_policy=True,
)
key.grant_decrypt(role, secrets=tuple(entry.name for entry in provider_keys.entries))

export("key", key.name)
export("key_version", key.latest_version)
export("openai_api_key", provider_keys["openai_api_key"])
