#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_restore
version_added: 0.1.0
short_description: Restore a key of the Transit secrets engine from an encrypted backup
description:
  - Decrypts a backup of M(mlkeys.transit.vault_transit_backup) in memory and restores the key in a Transit engine of
    HashiCorp Vault or OpenBao, on the same server or another one, with its versions and its floors
    (C(min_decryption_version) and C(min_encryption_version)).
  - A key that exists with the same versions is left unchanged. So is any other key of that name, unless O(force) is
    set.
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
      - Name of the restored key. If unset, the name of the key in the backup.
    type: str
  age_identity:
    description:
      - The private key that opens a backup of age, as C(age-keygen) writes it, or an SSH private key without a
        passphrase.
      - If unset, the value of E(MLKEYS_AGE_IDENTITY).
      - If the module runs on another machine, prefer O(age_identity_file). Without pipelining, Ansible writes options
        to a temporary file there.
    type: str
  age_identity_file:
    description:
      - A file with such a key. O(age_identity) takes precedence.
      - If unset, the value of E(MLKEYS_AGE_IDENTITY_FILE).
    type: path
  gpg_passphrase:
    description:
      - The passphrase of GnuPG's private key, unless a C(gpg-agent) has unlocked it.
      - If unset, the value of E(MLKEYS_GPG_PASSPHRASE).
    type: str
  force:
    description:
      - Replace an existing key of that name that differs from the backup. Its settings (rotation period, floors, and so
        on) are then as they were when the backup was taken.
      - This destroys versions of the key that the backup lacks, and what was encrypted with them can no longer be
        decrypted. It therefore needs O(destroy_versions) as well.
    type: bool
    default: false
  destroy_versions:
    description:
      - With O(force), whether versions that the backup lacks may be destroyed. These are the newer ones if the key was
        rotated since the backup, and all of them if the existing key is another key of the same name.
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
      - Decrypts the backup in check mode as well, in memory.
  diff_mode:
    support: full
    details:
      - Shows versions.
  idempotent:
    support: full
notes:
  - You can open a backup without this collection. The first lines of the file show how.
  - The token needs C(read) on C(transit/keys/NAME) and C(update) on C(transit/restore/NAME).
  - The server does not show when versions of a key of type V(hmac) were made, so a different key of this type with the
    same version numbers is not recognized as different.
seealso:
  - module: mlkeys.transit.vault_transit_backup
"""

EXAMPLES = r"""
- name: Allow backups of the key, which cannot be undone
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    exportable: true
    allow_plaintext_backup: true

- name: Take a backup
  mlkeys.transit.vault_transit_backup:
    name: ml-api-key
    path: "{{ backup_folder }}/ml-api-key.backup"
    recipients: ["{{ backup_recipient }}"]

- name: Test the backup by restoring it under another name
  mlkeys.transit.vault_transit_restore:
    path: "{{ backup_folder }}/ml-api-key.backup"
    name: ml-api-key-tried
    age_identity_file: "{{ backup_identity_file }}"

- name: Restore the key if it is gone
  mlkeys.transit.vault_transit_restore:
    path: "{{ backup_folder }}/ml-api-key.backup"
    age_identity_file: "{{ backup_identity_file }}"
"""

RETURN = r"""
key:
  description: The key after the run, or in check mode the predicted key.
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
      description: The oldest available version. V(0) for all.
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
  description: Why there was nothing to do. Empty if the key was restored.
  returned: success
  type: str
  sample: "nothing to do: the key exists with the same versions"
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.backup import restore_spec, run_restore
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec


def argument_spec() -> Spec:
    return restore_spec()


def main() -> None:
    run_restore(Module(argument_spec=argument_spec(), supports_check_mode=True))


if __name__ == "__main__":
    main()
