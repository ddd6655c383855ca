#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_policy
version_added: 0.1.0
short_description: Manage policies that say who may use which key, and how
description:
  - Writes a policy of HashiCorp Vault or OpenBao from what its tokens are for. It allows that and nothing else.
  - No token gets the right to create keys by encrypting, and no path of it reaches further than it says.
  - A policy that differs in white space alone is left as it is.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  name:
    description:
      - Name of the policy. The server knows it in small letters.
    type: str
    required: true
  state:
    description:
      - Whether the policy exists.
    type: str
    choices:
      - absent
      - present
    default: present
  grants:
    description:
      - What tokens may do with keys.
    type: list
    elements: dict
    suboptions:
      key:
        description:
          - Name of the key. All keys of the engine when it is not given.
        type: str
      backend:
        description:
          - Where the key's engine is mounted, O(backend) when nothing is said.
        type: str
      allow:
        description:
          - V(encrypt), V(decrypt), V(rewrap), V(hmac) and V(sign) are what the server calls so.
          - V(verify) is what tells whether a stored value is still the same (C(hmac) and C(verify)). With V(encrypt)
            and V(rewrap) it is what M(mlkeys.transit.vault_transit_vars) needs.
          - V(read) is for M(mlkeys.transit.vault_transit_key_info), V(rotate) and V(trim) are those of the key.
          - V(provision) creates and configures keys, and without O(grants[].key) the engine as well. It neither
            encrypts, decrypts, rotates nor deletes.
          - V(delete) deletes keys that allow it.
          - V(backup) takes the key's material out and puts it back.
        type: list
        elements: str
        required: true
        choices:
          - backup
          - decrypt
          - delete
          - encrypt
          - hmac
          - provision
          - read
          - rewrap
          - rotate
          - sign
          - trim
          - verify
      secrets:
        description:
          - Names of secrets, for V(decrypt), V(encrypt) and V(rewrap) alone. The token may then use the key for these
            and for no others, one a request.
          - The key has to be derived. It keeps secrets apart that were encrypted with their names as contexts, as
            M(mlkeys.transit.vault_transit_vars) does.
        type: list
        elements: str
  rules:
    description:
      - Rules in the server's own language, which go behind those of O(grants).
    type: str
  description:
    description:
      - What the policy is for. It becomes a comment in it.
    type: str
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
    details:
      - A mistake in O(rules) is found by the server when the policy is really written.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The token needs C(read) and C(update) on C(sys/policies/acl/NAME), C(delete) to remove it, and for
    O(grants[].secrets) C(read) on the key.
seealso:
  - module: mlkeys.transit.vault_transit_approle
"""

EXAMPLES = r"""
- name: What a developer needs to keep an encrypted vars file
  mlkeys.transit.vault_transit_policy:
    name: ml-keys-writer
    grants:
      - key: ml-api-key
        allow: [encrypt, rewrap, verify]

- name: What a gateway needs, for two secrets of a derived key
  mlkeys.transit.vault_transit_policy:
    name: llm-gateways
    description: The gateways decrypt their own keys
    grants:
      - key: ml-api-key
        allow: [decrypt]
        secrets: [openai_api_key, anthropic_api_key]

- name: What provisions engine and keys, and may read its own token
  mlkeys.transit.vault_transit_policy:
    name: ml-keys-provisioner
    grants:
      - allow: [provision]
    rules: |
      path "auth/token/lookup-self" {
        capabilities = ["read"]
      }

- name: Remove a policy
  mlkeys.transit.vault_transit_policy:
    name: ml-keys-writer
    state: absent
"""

RETURN = r"""
policy:
  description:
    - The policy after the run, or in check mode as it would be. V(null) when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    rules:
      description: Its text.
      type: str
      returned: always
  sample:
    name: ml-keys-writer
    rules: |
      path "transit/encrypt/ml-api-key" {
        capabilities = ["update"]
      }
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._access.policy import reconcile_policy
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import (
    backend_spec,
    connection_spec,
    policy_spec,
    run,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**connection_spec(), **backend_spec(), **policy_spec()},
        supports_check_mode=True,
    )
    run(module, reconcile_policy)


if __name__ == "__main__":
    main()
