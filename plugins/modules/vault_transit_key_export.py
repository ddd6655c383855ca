#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_key_export
version_added: 0.1.0
short_description: Export the secret material of a key of the Transit secrets engine to a file
description:
  - Writes the secret material of one version of a key of the Transit engine of HashiCorp Vault or OpenBao to a file, in
    plaintext.
  - Anyone who reads the file has the key, and can use it without the server and its policies. Use this module only
    where a program must have the key itself. To keep a copy of a key, use M(mlkeys.transit.vault_transit_backup), which
    encrypts it.
  - The material is in the file alone. It never gets into an argument, a log, a diff, another file or a result.
  - For public keys, use M(mlkeys.transit.vault_transit_key_info).
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  name:
    description:
      - Name of the key. It must allow exports with C(exportable) (see M(mlkeys.transit.vault_transit_key)), which
        cannot be undone.
    type: str
    required: true
  key_type:
    description:
      - What the material is for. Key pairs have a V(signing-key), and those of RSA the same one as V(encryption-key).
        Keys that encrypt have an V(encryption-key). All of them have an V(hmac-key).
      - V(cmac-key) exists on Vault only.
    type: str
    required: true
    choices:
      - cmac-key
      - encryption-key
      - hmac-key
      - signing-key
  version:
    description:
      - The version of the key. V(0) is the latest one.
    type: int
    default: 0
  format:
    description:
      - How the server encodes the material. V(pem) and V(der) are PKCS#8, the latter in base64. V(raw) are bytes in
        base64. OpenBao only.
      - Key pairs of RSA and ECDSA have no V(raw), and keys that are a number of bytes nothing else.
      - By default, key pairs of RSA and ECDSA are a PEM in their own format (PKCS#1, SEC 1), and all others are bytes
        in base64.
    type: str
    choices:
      - der
      - pem
      - raw
  path:
    description:
      - The file, on the host that runs the module. Its folder must exist.
      - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that somebody
        else may write to, they are followed only to places in that folder.
    type: path
    required: true
  i_understand:
    description:
      - Confirms that the secret leaves the server.
    type: str
    required: true
    choices:
      - whoever reads the file has the key
  mode:
    description:
      - Permissions of the file, as in M(ansible.builtin.file). If unset, the file gets V(0600), also if it exists.
    type: raw
extends_documentation_fragment:
  - ansible.builtin.files
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
    details:
      - Exports the material in memory, to compare it with the file.
  diff_mode:
    support: full
    details:
      - Shows the key and its version, never the material.
  idempotent:
    support: full
notes:
  - The token needs C(read) on C(transit/keys/NAME) and on C(transit/export/KEY_TYPE/NAME/VERSION). With the latter,
    anyone who has the token has the key.
  - The server records each export in its audit log, also that of a run that changes nothing.
seealso:
  - module: mlkeys.transit.vault_transit_backup
  - module: mlkeys.transit.vault_transit_key
  - module: mlkeys.transit.vault_transit_key_info
"""

EXAMPLES = r"""
- name: Allow exports of the key, which cannot be undone
  mlkeys.transit.vault_transit_key:
    name: artefacts
    type: ed25519
    exportable: true

- name: Export the private key for a program that signs without the server
  mlkeys.transit.vault_transit_key_export:
    name: artefacts
    key_type: signing-key
    format: pem
    path: "{{ gateway_root }}/etc/artefacts.pem"
    i_understand: whoever reads the file has the key
"""

RETURN = r"""
export:
  description:
    - What the file holds after the run, or in check mode would hold. V(null) in check mode if the key does not exist
      yet.
    - It contains no key material.
  returned: success
  type: dict
  sample:
    key: artefacts
    backend: transit
    type: ed25519
    key_type: signing-key
    version: 1
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
    key_type:
      description: What the material is for.
      type: str
      returned: always
    version:
      description: The version that the file holds.
      type: int
      returned: always
refused:
  description:
    - V(true) when the key cannot be exported as it is. Nothing was changed, and running again does not help.
  returned: when the module fails for this reason
  type: bool
  sample: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.export import export_spec, run_export
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, file_spec


def argument_spec() -> Spec:
    return {**file_spec(), **export_spec()}


def main() -> None:
    module = Module(argument_spec=argument_spec(), add_file_common_args=True, supports_check_mode=True)
    run_export(module)


if __name__ == "__main__":
    main()
