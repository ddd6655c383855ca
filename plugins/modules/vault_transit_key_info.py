#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_key_info
version_added: 0.1.0
short_description: Read keys of the Transit secrets engine
description:
  - Reads one key or all keys of the Transit engine of HashiCorp Vault or OpenBao, with the ages of their versions, and
    for key pairs their public keys.
  - Never returns secret key material.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  name:
    description:
      - Name of the key. By default, the module reads all keys of the engine, with one request for each.
    type: str
  context:
    description:
      - For derived key pairs, the context whose public key to return. Without it, they have no C(public_key).
      - Keys of other types are read as without it.
    type: str
  updates:
    description:
      - Paths below that of the engine, such as C(keys/ml-api-key/config). The module asks the server which of them the
        token may not update (RV(denied)).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._attributes.info_module
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
seealso:
  - module: mlkeys.transit.vault_transit_key
"""

EXAMPLES = r"""
- name: Read one key
  mlkeys.transit.vault_transit_key_info:
    name: ml-api-key
  register: ml_api_key

- name: Read all keys
  mlkeys.transit.vault_transit_key_info:
  register: all_keys

- name: Read a key pair
  mlkeys.transit.vault_transit_key_info:
    name: releases
  register: releases

- name: Write its latest public key to a file, for those who verify signatures
  ansible.builtin.copy:
    content: "{{ releases.transit_keys[0].versions[-1].public_key }}"
    dest: "{{ gateway_root }}/etc/releases.pub"
    mode: "0644"

- name: Show the keys whose latest version is older than 90 days
  ansible.builtin.debug:
    msg: "{{ item.name }}"
  loop: "{{ all_keys.transit_keys }}"
  loop_control:
    label: "{{ item.name }}"
  when:
    - item.versions | length > 0
    - item.versions[-1].age_seconds > 90 * 86400
"""

RETURN = r"""
denied:
  description:
    - Those of O(updates) that the token may not update, with the path of the engine. Empty if the token may not ask.
  returned: success
  type: list
  elements: str
  sample: [transit/keys/ml-api-key/config]
transit_keys:
  description: The keys, sorted by name. Empty when O(name) does not exist.
  returned: success
  type: list
  elements: dict
  sample:
    - backend: transit
      name: ml-api-key
      type: aes256-gcm96
      derived: true
      convergent_encryption: false
      exportable: false
      allow_plaintext_backup: false
      auto_rotate_period: 7776000
      deletion_allowed: false
      min_decryption_version: 1
      min_encryption_version: 0
      latest_version: 2
      min_available_version: 0
      imported_key: false
      soft_deleted: false
      supports_decryption: true
      supports_derivation: true
      supports_encryption: true
      supports_signing: false
      versions:
        - version: 1
          creation_time: "2026-08-01T09:00:00Z"
          age_seconds: 2678400
        - version: 2
          creation_time: "2026-09-01T09:00:00Z"
          age_seconds: 0
  contains:
    backend:
      description: Path of the engine.
      type: str
      returned: always
    name:
      description: The key's name.
      type: str
      returned: always
    latest_version:
      description: The version that encrypts.
      type: int
      returned: always
    auto_rotate_period:
      description: Seconds after which the server rotates the key. V(0) for never.
      type: int
      returned: always
    versions:
      description:
        - The versions that may still decrypt, oldest first.
        - Empty for keys of type V(hmac), for which the server does not report any times.
      type: list
      elements: dict
      returned: always
      contains:
        version:
          description: The number of the version.
          type: int
          returned: always
        creation_time:
          description: When it was made.
          type: str
          returned: always
        age_seconds:
          description: How old it is.
          type: int
          returned: always
        public_key:
          description: The public key, a PEM. Servers show those of V(ed25519) in base64; here they are PEM as well.
          type: str
          returned: for key pairs
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_info import key_info


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        **backend_spec(),
        "name": {"type": "str"},
        "context": {"type": "str"},
        "updates": {"type": "list", "elements": "str", "default": []},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, key_info)


if __name__ == "__main__":
    main()
