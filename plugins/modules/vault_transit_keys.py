#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_keys
version_added: 0.1.0
short_description: Manage many keys of Transit secrets engines
description:
  - Creates, configures, rotates and deletes keys of Transit engines of HashiCorp Vault or OpenBao, with one login and
    one connection for all of them.
  - Does the same as M(mlkeys.transit.vault_transit_key) for each listed key. Keys that are not listed are left
    unchanged.
  - The module reads and plans all keys before it writes the first one. This takes one request for each key that
    exists, and one list request for each engine with more than one listed key. If the token may not list keys, the
    module reads each key.
  - When a run fails halfway, the result shows what was done. Run the task again to do the rest.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - cryptography 3.1 or newer (for O(keys[].import))
  - bcrypt (for O(keys[].import) of a private key that OpenSSH encrypted)
options:
  floors:
    description:
      - Versions below which O(keys[].min_decryption_version) and O(keys[].min_encryption_version) of listed keys do not
        go. The names of the dictionary are the path of the engine and the name of the key, for example
        V(transit/ml-api-key).
      - A listed key that sets a lower version, or none, keeps this one. The playbook C(mlkeys.transit.rotate) writes
        such a dictionary to the file C(vault_transit_rotate_floors_file).
    type: dict
    default: {}
  must_exist:
    description:
      - Keys that the module does not create, because something is encrypted with them, which a new key of the same name
        does not decrypt. The names of the dictionary are the path of the engine and the name of the key, for example
        V(transit/ml-api-key), and the values say why, for the message.
      - A listed key that is one of them and does not exist cannot reach its wanted state, see O(on_error).
    type: dict
    default: {}
  on_error:
    description:
      - What to do when the wanted state of some keys cannot be reached. The module fails in either case and names each
        of these keys.
      - V(fail) changes nothing when the plan of any key is impossible, and stops at the first key that the server
        refuses to write.
      - V(continue) applies the plans of all other keys before it fails.
      - Regardless of this option, the module fails before it reads anything when an option does not exist or has a
        value of the wrong type, and stops when the server is unreachable, is sealed or does not accept the token.
    type: str
    choices:
      - continue
      - fail
    default: fail
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
  - mlkeys.transit._key.entries
attributes:
  check_mode:
    support: full
    details:
      - Check mode does not detect a key type that the server does not support.
  diff_mode:
    support: full
    details:
      - One diff for each key that changes.
  idempotent:
    support: partial
    details:
      - Idempotent except with O(keys[].rotate_older_than=0).
seealso:
  - module: mlkeys.transit.vault_transit_backend
  - module: mlkeys.transit.vault_transit_key
  - module: mlkeys.transit.vault_transit_key_info
"""

EXAMPLES = r"""
- name: Create keys for the API keys of ML providers
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: openai
        derived: true
        auto_rotate_period: 90d
      - name: anthropic
        derived: true
        rotate_older_than: 30d
      - name: signatures
        type: ed25519

- name: Manage keys of several teams, and apply all other plans when one is impossible
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: team-vision
        exportable: false
      - name: team-speech
        min_decryption_version: 1
    on_error: continue

- name: Create new keys, but not one that stored secrets are encrypted with
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: team-video
      - name: team-speech
    must_exist:
      transit/team-speech: group_vars/all/keys.transit.yml is encrypted with it. Restore it from a backup.

- name: Delete keys and everything that was encrypted with them
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: team-vision
        state: absent
        force: true
      - name: team-speech
        state: absent
        force: true
      - name: team-video
        state: absent
        force: true
"""

RETURN = r"""
results:
  description: The result for each key, in the order of O(keys). Also returned when the module fails.
  returned: when the keys were planned
  type: list
  elements: dict
  sample:
    - name: ml-api-key
      backend: transit
      changed: true
      action: created
      key:
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
  contains:
    name:
      description: The key's name.
      type: str
      returned: always
    backend:
      description: Where its engine is mounted.
      type: str
      returned: always
    changed:
      description: Whether it changed, or in check mode would change.
      type: bool
      returned: always
    action:
      description:
        - What the module did, or in check mode would do.
          V(rotated) and V(deleted) may include a change of the configuration. V(imported) is a further version of a
          key that existed, or the private key of a version that had the public key alone.
        - V(refused) for a key whose wanted state cannot be reached and for which nothing was written, V(failed) for a
          key that the server refused to write, V(skipped) for a key that was not begun because another key failed.
      type: str
      returned: always
      sample: created
    key:
      description:
        - The key after the run, or in check mode the predicted key, as M(mlkeys.transit.vault_transit_key) returns it.
        - V(null) when it does not exist, and when its plan was not applied.
      type: dict
      returned: always
    imported:
      description: What became of the material, as M(mlkeys.transit.vault_transit_key) returns it.
      type: dict
      returned: with O(keys[].import)
    error:
      description: Why the key failed.
      type: str
      returned: when it failed
refused:
  description:
    - V(true) when the wanted state of the keys that failed cannot be reached from their actual one. Running again does
      not help.
  returned: when the module fails for this reason alone
  type: bool
  sample: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec, key_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import CONTINUE, FAIL, reconcile_keys


def argument_spec() -> Spec:
    entry_spec = {**key_spec(), "backend": {"type": "str", "aliases": ["engine_mount_point"]}}
    return {
        **connection_spec(),
        **backend_spec(),
        "keys": {"type": "list", "elements": "dict", "required": True, "no_log": False, "options": entry_spec},
        "floors": {"type": "dict", "default": {}},
        "must_exist": {"type": "dict", "default": {}},
        "on_error": {"type": "str", "choices": [CONTINUE, FAIL], "default": FAIL},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_keys)


if __name__ == "__main__":
    main()
