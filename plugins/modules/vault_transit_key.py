#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_key
version_added: 0.1.0
short_description: Manage a key of the Transit secrets engine
description:
  - Creates, configures, rotates and deletes one key of the Transit engine of HashiCorp Vault or OpenBao.
  - Unset options are left unchanged.
  - When the wanted state cannot be reached from the key's actual state, the module fails with all reasons before it
    changes anything.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - cryptography 3.1 or newer (for O(import))
  - bcrypt (for O(import) of a private key that OpenSSH encrypted)
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
  - mlkeys.transit._key
attributes:
  check_mode:
    support: full
    details:
      - Check mode does not detect a key type that the server does not support.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Idempotent except with O(rotate_older_than=0).
seealso:
  - module: mlkeys.transit.vault_transit_backend
  - module: mlkeys.transit.vault_transit_key_info
  - module: mlkeys.transit.vault_transit_keys
  - module: mlkeys.transit.vault_transit_vars
  - name: Transit API of OpenBao
    description: Reference of the server's API.
    link: https://openbao.org/api-docs/secret/transit/
  - name: Transit API of Vault
    description: Reference of the server's API.
    link: https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

EXAMPLES = r"""
- name: Create a key for the API keys of ML providers
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    type: aes256-gcm96
    derived: true
    auto_rotate_period: 90d

- name: Rotate the key when its latest version is older than 30 days
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    rotate_older_than: 30d

- name: Set the oldest versions that may decrypt and encrypt
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    min_decryption_version: 1
    min_encryption_version: 1

- name: Import a private key for signatures, which the server cannot rotate
  mlkeys.transit.vault_transit_key:
    name: artefacts
    type: ed25519
    import:
      src: artefacts.pem

- name: Replace it with another one, as version 2
  mlkeys.transit.vault_transit_key:
    name: artefacts
    type: ed25519
    import:
      src: artefacts-2.pem
      version: 2

- name: Import a key of 32 bytes in base64, and let the server rotate it from then on
  mlkeys.transit.vault_transit_key:
    name: brought-along
    type: aes256-gcm96
    import:
      content: "{{ lookup('ansible.builtin.env', 'BROUGHT_ALONG') }}"
      allow_rotation: true
    auto_rotate_period: 90d

- name: Delete the key and everything that was encrypted with it
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    state: absent
    force: true
"""

RETURN = r"""
key:
  description:
    - The key after the run; in check mode, the predicted key. V(null) when it does not exist.
    - It contains neither key material nor times. M(mlkeys.transit.vault_transit_key_info) returns the times.
  returned: success
  type: dict
  sample:
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
    latest_version: 1
    min_available_version: 0
imported:
  description:
    - What became of the material.
  returned: with O(import)
  type: dict
  sample:
    version: 1
    done: true
    compared: true
    private: present
  contains:
    version:
      description: The version that the material is.
      type: int
      returned: always
    done:
      description:
        - Whether this run imported it, or in check mode would import it.
        - V(true) also if the version had the public key alone, and O(import.complete) added the private key.
      type: bool
      returned: always
    compared:
      description:
        - Whether the version is known to have this material, because this run imported it or its public key is the
          same.
        - An equal public key does not mean that the server has the private key, see RV(imported.private).
        - V(false) for a version that existed and whose material the server does not show.
      type: bool
      returned: always
    private:
      description:
        - What is known of the secret part of the material. No server shows it.
        - V(present) if this run imported it, or in check mode would import it, or if O(import.complete) showed that the
          version has the private key.
        - V(absent) if this run imported a public key alone.
        - V(unknown) for a version that existed.
      type: str
      returned: always
refused:
  description:
    - V(true) when the wanted state cannot be reached from the actual one. Nothing was changed, and running again does
      not help.
  returned: when the module fails for this reason
  type: bool
  sample: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec, key_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import reconcile_key


def argument_spec() -> Spec:
    return {**connection_spec(), **backend_spec(), **key_spec()}


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_key)


if __name__ == "__main__":
    main()
