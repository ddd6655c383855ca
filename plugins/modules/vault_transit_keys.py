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
  - Does for each listed key what M(mlkeys.transit.vault_transit_key) does, and leaves alone what is not listed.
  - All keys are read and planned before the first one is written. That costs one request for each key that exists,
    and one list for each engine of which more than one key is wanted. A token that may not list reads each key.
  - When a run breaks off, the result tells what was done. Another run does the rest.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  on_error:
    description:
      - What is done when some of the keys cannot be as asked. The module fails in either case and names each of them.
      - V(fail) writes nothing at all when the plan of any key is impossible, and ends at the first key that the server
        refuses to write.
      - V(continue) carries out all others before it fails.
      - An option that does not exist or a value of the wrong type is refused before anything is read,
        and a server that cannot be reached, is sealed or does not accept the token ends the run, whatever is said here.
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
      - A key type that the server does not know is found out when the key is really created.
  diff_mode:
    support: full
    details:
      - One diff for each key that changes.
  idempotent:
    support: partial
    details:
      - Idempotent but for O(keys[].rotate_older_than=0).
seealso:
  - module: mlkeys.transit.vault_transit_backend
  - module: mlkeys.transit.vault_transit_key
  - module: mlkeys.transit.vault_transit_key_info
"""

EXAMPLES = r"""
- name: Keys for the API keys of ML providers
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

- name: Keys of several teams, where what is wrong with one does not keep the others waiting
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: team-vision
        exportable: false
      - name: team-speech
        min_decryption_version: 1
    on_error: continue

- name: Delete keys and everything that was encrypted with them
  mlkeys.transit.vault_transit_keys:
    keys:
      - name: team-vision
        state: absent
        force: true
      - name: team-speech
        state: absent
        force: true
"""

RETURN = r"""
results:
  description: What became of each key, in the order in which they are listed. Also returned when the module fails.
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
        - The main thing that was done, or in check mode would be done.
          V(rotated) and V(deleted) may include a change of the configuration.
        - V(refused) for a key that cannot be as asked and for which nothing was written, V(failed) for one that the
          server refused to write, V(skipped) for one that was not begun because of another one's error.
      type: str
      returned: always
      sample: created
    key:
      description:
        - The key after the run, or in check mode as it would be, as M(mlkeys.transit.vault_transit_key) returns it.
        - V(null) when it does not exist, and for a key that was not carried out.
      type: dict
      returned: always
    error:
      description: What is wrong with it.
      type: str
      returned: when something is
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import (
    backend_spec,
    connection_spec,
    key_spec,
    run,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import CONTINUE, FAIL, reconcile_keys


def main() -> None:
    entry_spec = {**key_spec(), "backend": {"type": "str", "aliases": ["engine_mount_point"]}}
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            **backend_spec(),
            "keys": {"type": "list", "elements": "dict", "required": True, "no_log": False, "options": entry_spec},
            "on_error": {"type": "str", "choices": [CONTINUE, FAIL], "default": FAIL},
        },
        supports_check_mode=True,
    )
    run(module, reconcile_keys)


if __name__ == "__main__":
    main()
