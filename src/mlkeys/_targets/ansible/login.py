# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the server is and who asks, for modules and lookups that do not find it by themselves.

Those of the collection do, and these variables say the same: Ansible's variables, then its environment, then OpenBao's
and Vault's. What none of them says is empty, and left to whom it is handed to.
"""

from __future__ import annotations

from typing import Any

from mlkeys._constructs.inventory import Template


def _setting(name: str, *environment: str) -> str:
    """The code for what Ansible's variable says, else the first of these that has a value."""
    found = " or ".join(f"lookup('ansible.builtin.env', '{variable}')" for variable in environment)
    return f"ansible_hashi_vault_{name} | default({found}, true)"


_NO_VERIFICATION = (
    "(lookup('ansible.builtin.env', 'BAO_SKIP_VERIFY') or lookup('ansible.builtin.env', 'VAULT_SKIP_VERIFY')) | lower"
)

ADDRESS = Template(f"{{{{ {_setting('url', 'ANSIBLE_HASHI_VAULT_ADDR', 'BAO_ADDR', 'VAULT_ADDR')} }}}}")
TOKEN = Template(f"{{{{ {_setting('token', 'ANSIBLE_HASHI_VAULT_TOKEN', 'BAO_TOKEN', 'VAULT_TOKEN')} }}}}")
NAMESPACE = Template(
    f"{{{{ {_setting('namespace', 'ANSIBLE_HASHI_VAULT_NAMESPACE', 'BAO_NAMESPACE', 'VAULT_NAMESPACE')} }}}}"
)

#: Variables of a play that uses `KV_LOOKUP`.
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
#: The lookup of that collection, for `{path}` in the engine `{mount}` (both as expressions). It knows one address only.
KV_LOOKUP = (
    f"lookup('{KV_COLLECTION}.vault_kv2_get', {{path}}, engine_mount_point={{mount}},"
    " url=(server_address | split(',') | first) or none, token=server_token or none,"
    " namespace=server_namespace or none, ca_cert=server_ca_cert or none, validate_certs=server_validate_certs | bool)"
)
