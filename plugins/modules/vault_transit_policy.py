#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_policy
version_added: 0.1.0
short_description: Manage policies that grant the use of keys
description:
  - Writes a policy of HashiCorp Vault or OpenBao from a list of grants. The policy allows exactly what the grants name.
  - No grant allows a token to create keys by encrypting, and no rule covers more paths than needed.
  - A policy that differs only in white space is left unchanged.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  name:
    description:
      - Name of the policy. The server converts it to lower case.
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
      - What tokens with this policy may do with keys.
    type: list
    elements: dict
    suboptions:
      key:
        description:
          - Name of the key. By default, the grant is for all keys of the engine.
        type: str
      backend:
        description:
          - Where the key's engine is mounted. The default is O(backend).
        type: str
      allow:
        description:
          - V(encrypt), V(decrypt), V(rewrap), V(hmac) and V(sign) allow the server's operations of the same names.
          - V(verify) allows to check signatures, and whether a stored value is unchanged (C(hmac) and C(verify)).
            M(mlkeys.transit.vault_transit_vars) needs it together with V(encrypt) and V(rewrap).
          - V(datakey) allows to make data keys, in plaintext as well. To decrypt stored ones later takes V(decrypt).
          - V(import) allows to import the key or a version of it, to read it, and to read the engine's wrapping key. Of
            the key's attributes it allows C(type) and C(derived), not C(exportable), C(allow_plaintext_backup),
            C(auto_rotate_period) and C(import.allow_rotation).
          - V(read) allows M(mlkeys.transit.vault_transit_key_info).
          - V(rotate) allows everything that C(mlkeys rotate) and C(mlkeys status) do - to read and rotate the key, to
            rewrap its ciphertexts, to set its C(min_decryption_version) and C(min_encryption_version) and no other
            attribute, and to trim it. To identify the ciphertexts of other keys, it also allows the token to list and
            read the keys of the engine, and to rewrap with them, which shows no plaintext.
          - With V(encrypt) in addition, a rotation can replace a leaked secret. With V(backup), it can keep a backup of
            the key.
          - V(trim) allows to trim the key, and nothing else.
          - V(provision) allows to create and configure keys, and without O(grants[].key) the engine as well. It does
            not allow to encrypt, decrypt, rotate or delete.
          - V(delete) allows to delete keys that may be deleted.
          - V(backup) allows to export a backup of the key, which contains the key material, and to restore it.
        type: list
        elements: str
        required: true
        choices:
          - backup
          - datakey
          - decrypt
          - delete
          - encrypt
          - hmac
          - import
          - provision
          - read
          - rewrap
          - rotate
          - sign
          - trim
          - verify
      secrets:
        description:
          - Names of secrets, only for V(decrypt), V(encrypt) and V(rewrap). The token may then use the key for these
            secrets only, one secret per request.
          - The key must be derived, and the secrets must be encrypted with their names as contexts, as
            M(mlkeys.transit.vault_transit_vars) does.
        type: list
        elements: str
  keep_grants:
    description:
      - Whether the policy keeps its present grants, even with O(state=absent). Set it while the users of the
        policy change over to what O(grants) names, and apply the task without it when they have.
      - RV(grants_kept) says whether the policy grants more than O(grants).
    type: bool
    default: false
  rules:
    description:
      - Rules in the server's policy language, added after those of O(grants).
    type: str
  description:
    description:
      - What the policy is for, written to the policy as a comment.
    type: str
  managed_by:
    description:
      - Who manages the policy, in one line. It is the first comment of the policy.
      - A policy that somebody else manages is neither changed nor removed. The last word identifies the manager.
        The words before it may change.
    type: str
  former_managers:
    description:
      - Managers whose policy O(managed_by) takes over. The last word identifies each.
      - Without O(managed_by), or with O(state=absent), it has no effect.
    type: list
    elements: str
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
      - Check mode does not detect mistakes in O(rules). The server reports them when the policy is written.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The token needs C(read) and C(update) on C(sys/policies/acl/NAME), C(delete) to remove the policy, and C(read) on
    the key for O(grants[].secrets).
seealso:
  - module: mlkeys.transit.vault_transit_approle
"""

EXAMPLES = r"""
- name: Allow developers to maintain an encrypted vars file
  mlkeys.transit.vault_transit_policy:
    name: ml-keys-writer
    grants:
      - key: ml-api-key
        allow: [encrypt, rewrap, verify]

- name: Allow gateways to decrypt two secrets of a derived key
  mlkeys.transit.vault_transit_policy:
    name: llm-gateways
    description: The gateways decrypt their own keys
    grants:
      - key: ml-api-key
        allow: [decrypt]
        secrets: [openai_api_key, anthropic_api_key]

- name: Also allow to decrypt a new secret, until no gateway uses the old ones any longer
  mlkeys.transit.vault_transit_policy:
    name: llm-gateways
    description: The gateways decrypt their own keys
    grants:
      - key: ml-api-key
        allow: [decrypt]
        secrets: [hf_token]
    keep_grants: true

- name: Allow to rotate a key, and to report the state of the engine
  mlkeys.transit.vault_transit_policy:
    name: ml-keys-rotator
    grants:
      - key: ml-api-key
        allow: [rotate]

- name: Allow to provision the engine and its keys, and to look up the own token
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
    - The policy after the run; in check mode, the predicted policy. V(null) when it does not exist.
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
grants_kept:
  description: Whether the policy grants more than O(grants), because of O(keep_grants).
  returned: success
  type: bool
  sample: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._access.policy import reconcile_policy
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec, policy_spec, run


def argument_spec() -> Spec:
    return {**connection_spec(), **backend_spec(), **policy_spec()}


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_policy)


if __name__ == "__main__":
    main()
