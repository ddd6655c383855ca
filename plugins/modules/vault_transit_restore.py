#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_restore
version_added: 0.1.0
short_description: Make a key of the Transit secrets engine out of an encrypted backup
description:
  - Decrypts a backup of M(mlkeys.transit.vault_transit_backup) in memory and makes a key of it in the Transit engine of
    HashiCorp Vault or OpenBao, on the same server or another one. Its versions and floors are as they were.
  - A key that is there with the same versions is left as it is. Any other is not touched, unless O(force) says so.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - pyrage 1.2 or newer (for a backup that is encrypted with age)
  - GnuPG 2.1 or newer (for one that is encrypted with GnuPG)
options:
  path:
    description:
      - The backup.
    type: path
    required: true
  name:
    description:
      - Name of the key to make, that of the key in the backup when nothing is said.
    type: str
  age_identity:
    description:
      - The private key that opens a backup of age, as C(age-keygen) writes it, or an SSH private key without a
        passphrase.
      - If not specified, E(MLKEYS_AGE_IDENTITY) is taken.
      - Where the module is sent to another machine, O(age_identity_file) is better. Without pipelining, Ansible puts
        options into a temporary file there.
    type: str
  age_identity_file:
    description:
      - A file with that. O(age_identity) goes before it.
      - If not specified, E(MLKEYS_AGE_IDENTITY_FILE) is taken.
    type: path
  gpg_passphrase:
    description:
      - The passphrase of GnuPG's private key, where no C(gpg-agent) has it unlocked.
      - If not specified, E(MLKEYS_GPG_PASSPHRASE) is taken.
    type: str
  force:
    description:
      - What the server calls so. The backup is put in the place of a key of that name which is there and differs. What
        was set for that key (rotation period, floors, and so on) is then as it was when the backup was taken.
      - Versions that the key has and the backup has not are destroyed by that, and nothing that was encrypted with them
        can be decrypted any more. That needs O(destroy_versions) as well.
    type: bool
    default: false
  destroy_versions:
    description:
      - With O(force), whether versions may be destroyed that the backup has not. These are the newer ones where the key
        was rotated since, and all of them where the key is another one of the same name.
    type: bool
    default: false
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._backup
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
    details:
      - Decrypts the backup all the same, in memory.
  diff_mode:
    support: full
    details:
      - Shows versions.
  idempotent:
    support: full
notes:
  - It needs nothing of this collection to open a backup. The first lines of the file tell how to do it by hand.
  - The token needs C(read) on C(transit/keys/NAME) and C(update) on C(transit/restore/NAME).
  - A key of type V(hmac) whose versions were made at other times cannot be told from the backup's, since the server
    tells no times of such keys.
seealso:
  - module: mlkeys.transit.vault_transit_backup
"""

EXAMPLES = r"""
- name: Let the key be backed up, which cannot be undone
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    exportable: true
    allow_plaintext_backup: true

- name: Take a backup
  mlkeys.transit.vault_transit_backup:
    name: ml-api-key
    path: "{{ backup_folder }}/ml-api-key.backup"
    recipients: ["{{ backup_recipient }}"]

- name: Try whether it can be restored, under another name
  mlkeys.transit.vault_transit_restore:
    path: "{{ backup_folder }}/ml-api-key.backup"
    name: ml-api-key-tried
    age_identity_file: "{{ backup_identity_file }}"

- name: Have the key back where it was, if it is gone
  mlkeys.transit.vault_transit_restore:
    path: "{{ backup_folder }}/ml-api-key.backup"
    age_identity_file: "{{ backup_identity_file }}"
"""

RETURN = r"""
key:
  description: The key after the run, or in check mode as it would be.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    backend:
      description: Path of the engine.
      type: str
      returned: always
    type:
      description: Its type.
      type: str
      returned: always
    latest_version:
      description: Its latest version.
      type: int
      returned: always
    min_available_version:
      description: The oldest version that there is. V(0) for all.
      type: int
      returned: always
    min_decryption_version:
      description: The floor for decryption.
      type: int
      returned: always
    min_encryption_version:
      description: The floor for encryption. V(0) for the latest version.
      type: int
      returned: always
  sample:
    name: ml-api-key
    backend: transit
    type: aes256-gcm96
    latest_version: 3
    min_decryption_version: 2
    min_encryption_version: 0
    min_available_version: 0
reason:
  description: Why there was nothing to do. Empty when the key was restored.
  returned: success
  type: str
  sample: "nothing to do: the key is there with the same versions"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.backup import restore_spec, run_restore


def main() -> None:
    run_restore(AnsibleModule(argument_spec=restore_spec(), supports_check_mode=True))


if __name__ == "__main__":
    main()
