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
  - Takes a backup of a key of the Transit engine of HashiCorp Vault or OpenBao and writes it to a file that only its
    recipients can read, encrypted with age or GnuPG.
  - The server returns the key itself with all of its versions, in plaintext. It is encrypted in memory and never gets
    into a file, an argument, a log or a result.
  - The file begins with public facts about the key. If the key's versions, its floors (C(min_decryption_version) and
    C(min_encryption_version)) and the recipients are the same as before, the file stays as it is.
  - A file is not overwritten if it holds the backup of another key, or versions that the server's key does not have
    (any more).
  - If these versions were trimmed, the older backup is kept beside the new one, in a file whose name has its versions,
    such as C(ml-api-key.v1-v3.backup).
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - pyrage 1.2 or newer (for recipients of age)
  - GnuPG 2.1 or newer (for fingerprints)
options:
  name:
    description:
      - Name of the key. It must allow backups with C(exportable) and C(allow_plaintext_backup) (see
        M(mlkeys.transit.vault_transit_key)), which cannot be undone.
    type: str
    required: true
  path:
    description:
      - The file. Its folder must exist.
      - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that
        somebody else may write to, they are followed only to places in that folder.
    type: path
    required: true
  recipients:
    description:
      - Who can read the backup. Each is a recipient of age (C(age1…)), an SSH public key (C(ssh-ed25519 …),
        C(ssh-rsa …)), or the full fingerprint of a public key that GnuPG has. Do not mix fingerprints with the others.
      - Empty ones and those that begin with C(#) are ignored, so you can pass the lines of a file.
      - At least one recipient is required.
    type: list
    elements: str
    required: true
  force:
    description:
      - Take the backup again even if nothing has changed, and even if versions that only the file has are lost. Then
        no older backup is kept beside it.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, as in M(ansible.builtin.file). If unset, a new file gets V(0600), and an existing file
        keeps its permissions.
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
      - Encrypts an empty text to the recipients, to find invalid ones.
  diff_mode:
    support: full
    details:
      - Shows versions and recipients.
  idempotent:
    support: full
    details:
      - Except with O(force).
notes:
  - The token needs C(read) on C(transit/keys/NAME) and on C(transit/backup/NAME). With the latter, anyone who
    has the token has the key. V(backup) of O(mlkeys.transit.vault_transit_policy#module:grants[].allow) grants both,
    and the right to restore.
  - Encryption does not show who wrote a file. Keep it where nobody else can replace it.
  - Keep the private keys of recipients away from the backups, and test regularly that they open them.
seealso:
  - module: mlkeys.transit.vault_transit_restore
  - module: mlkeys.transit.vault_transit_key
"""

EXAMPLES = r"""
- name: Allow backups of the key, which cannot be undone
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
kept:
  description: The file that keeps the older backup, which has versions that were trimmed since.
  returned: when such a backup is kept
  type: str
  sample: /srv/backups/ml-api-key.v1-v3.backup
backup:
  description:
    - The content of the file after the run, or in check mode the predicted content. V(null) in check mode if the key
      does not exist yet.
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
      description: The latest version in the backup.
      type: int
      returned: always
    min_available_version:
      description: The oldest version in the backup. V(0) for all.
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
  description: Why the backup was taken. Empty if the file was left unchanged.
  returned: success
  type: str
  sample: the key has other versions
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.backup import backup_spec, run_backup
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, file_spec


def argument_spec() -> Spec:
    return {**file_spec(), **backup_spec()}


def main() -> None:
    module = Module(argument_spec=argument_spec(), add_file_common_args=True, supports_check_mode=True)
    run_backup(module)


if __name__ == "__main__":
    main()
