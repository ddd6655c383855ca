# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Address and login for modules and lookups of other collections.

Modules of this collection find them by themselves. These variables have the same sources, in the same order: variables
of Ansible, then its environment variables, then those of OpenBao and of Vault. A value that no source sets is empty.
"""

from __future__ import annotations

from typing import Any

from mlkeys._constructs.inventory import Template


def _setting(name: str, *environment: str) -> str:
    """Return an expression for the variable of Ansible, else the first environment variable with a value."""
    found = " or ".join(f"lookup('ansible.builtin.env', '{variable}')" for variable in environment)
    return f"ansible_hashi_vault_{name} | default({found}, true)"


_NO_VERIFICATION = (
    "(lookup('ansible.builtin.env', 'BAO_SKIP_VERIFY') or lookup('ansible.builtin.env', 'VAULT_SKIP_VERIFY')) | lower"
)

_ADDRESSES = ("ANSIBLE_HASHI_VAULT_ADDR", "BAO_AGENT_ADDR", "VAULT_AGENT_ADDR", "BAO_ADDR", "VAULT_ADDR")
ADDRESS = Template(f"{{{{ {_setting('url', *_ADDRESSES)} }}}}")
TOKEN = Template(f"{{{{ {_setting('token', 'ANSIBLE_HASHI_VAULT_TOKEN', 'BAO_TOKEN', 'VAULT_TOKEN')} }}}}")
NAMESPACE = Template(
    f"{{{{ {_setting('namespace', 'ANSIBLE_HASHI_VAULT_NAMESPACE', 'BAO_NAMESPACE', 'VAULT_NAMESPACE')} }}}}"
)

#: Variables for plays that use `KV_LOOKUP`.
KV_VARIABLES: dict[str, Any] = {
    "server_address": ADDRESS,
    "server_token": TOKEN,
    "server_namespace": NAMESPACE,
    "server_ca_cert": Template(
        f"{{{{ {_setting('ca_cert', 'ANSIBLE_HASHI_VAULT_CA_CERT', 'BAO_CACERT', 'VAULT_CACERT')} }}}}"
    ),
    "server_validate_certs": Template(
        "{{ ansible_hashi_vault_validate_certs"
        f" | default({_NO_VERIFICATION} not in ['1', 't', 'true', 'y', 'yes', 'on']) }}}}"
    ),
}

KV_COLLECTION = "community.hashi_vault"
#: The lookup of that collection, for `{path}` in the engine `{mount}` (both expressions). It supports one address only.
KV_LOOKUP = (
    f"lookup('{KV_COLLECTION}.vault_kv2_get', {{path}}, engine_mount_point={{mount}},"
    " url=(server_address | split(',') | first) or none, token=server_token or none,"
    " namespace=server_namespace or none, ca_cert=server_ca_cert or none, validate_certs=server_validate_certs | bool)"
)
