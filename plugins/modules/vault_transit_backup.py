#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_backup
version_added: 0.1.0
short_description: Keep an encrypted backup of a key of the Transit secrets engine
description:
  - Takes a backup of a key out of the Transit engine of HashiCorp Vault or OpenBao and writes it to a file that only
    its recipients can read, by age or GnuPG.
  - What the server gives is the key itself with all of its versions, in plaintext. It is encrypted in memory and is
    never in a file, an argument, a log or a result.
  - The file begins with what everybody may know of the key. A run that finds the key's versions and floors, and the
    recipients, as they were leaves it as it is.
  - A file that holds versions that the server's key does not have (any more) is not overwritten, and neither is one of
    another key.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - pyrage 1.2 or newer (for recipients of age)
  - GnuPG 2.1 or newer (for fingerprints)
options:
  name:
    description:
      - Name of the key. It has to allow backups, by C(exportable) and C(allow_plaintext_backup) (see
        M(mlkeys.transit.vault_transit_key)), which cannot be undone.
    type: str
    required: true
  path:
    description:
      - The file. Its folder must exist.
    type: path
    required: true
  recipients:
    description:
      - Who can read the backup. Each is a recipient of age (C(age1…)), an SSH public key (C(ssh-ed25519 …),
        C(ssh-rsa …)), or the full fingerprint of a public key that GnuPG has. The last cannot stand beside the others.
      - Empty ones and those that begin with C(#) do not count, so that these may be the lines of a file.
      - Without a recipient there is no backup.
    type: list
    elements: str
    required: true
  force:
    description:
      - Take the backup anew even if nothing has changed, also where versions are lost by that which only the file has.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, as in M(ansible.builtin.file). When nothing is said, V(0600) for a new one, and a file
        that is there keeps its own.
    type: raw
extends_documentation_fragment:
  - ansible.builtin.files
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
      - Encrypts nothing to each recipient, so that one that does not serve is found.
  diff_mode:
    support: full
    details:
      - Shows versions and recipients.
  idempotent:
    support: full
    details:
      - Except with O(force).
notes:
  - The token needs C(read) on C(transit/keys/NAME) and on C(transit/backup/NAME). The latter gives the key away to
    whoever has that token. V(backup) of O(mlkeys.transit.vault_transit_policy#module:grants[].allow) is that, with the
    right to restore.
  - Encryption does not tell who wrote a file. Keep it where nobody else can put another one in its place.
  - Keep the private key of a recipient elsewhere than the backups, and try now and then whether it opens them.
seealso:
  - module: mlkeys.transit.vault_transit_restore
  - module: mlkeys.transit.vault_transit_key
"""

EXAMPLES = r"""
- name: Let the key be backed up, which cannot be undone
  mlkeys.transit.vault_transit_key:
    name: ml-api-key
    exportable: true
    allow_plaintext_backup: true

- name: Keep a backup that only the holders of two identities can read
  mlkeys.transit.vault_transit_backup:
    name: ml-api-key
    path: "{{ backup_folder }}/ml-api-key.backup"
    recipients:
      - age196juxdxgnag4m9f3vszdqvu3383j0uz0z0nudzpj9ezs68qy6fkqyzup0q
      - "{{ backup_recipient }}"
"""

RETURN = r"""
backup:
  description:
    - What is in the file after the run, or in check mode would be. V(null) in check mode for a key that does not exist
      yet.
  returned: success
  type: dict
  contains:
    key:
      description: Name of the key.
      type: str
      returned: always
    backend:
      description: Path of the engine.
      type: str
      returned: always
    type:
      description: Type of the key.
      type: str
      returned: always
    latest_version:
      description: The latest version in it.
      type: int
      returned: always
    min_available_version:
      description: The oldest version in it. V(0) for all.
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
    recipients:
      description: Who can read it.
      type: list
      elements: str
      returned: always
  sample:
    key: ml-api-key
    backend: transit
    type: aes256-gcm96
    latest_version: 3
    min_decryption_version: 2
    min_encryption_version: 0
    min_available_version: 0
    recipients:
      - age196juxdxgnag4m9f3vszdqvu3383j0uz0z0nudzpj9ezs68qy6fkqyzup0q
reason:
  description: Why the backup was taken. Empty when the file was left as it is.
  returned: success
  type: str
  sample: the key has other versions
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.backup import backup_spec, run_backup


def main() -> None:
    module = AnsibleModule(argument_spec=backup_spec(), add_file_common_args=True, supports_check_mode=True)
    run_backup(module)


if __name__ == "__main__":
    main()
