# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where to search for ciphertexts, and whose they are. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  paths:
    description:
      - Files and folders of the host, and patterns such as V(/etc/mlkeys/*/agent.hcl). Paths that are not patterns must
        exist.
      - Files may have any text format. Fingerprints in encrypted vars files do not count as ciphertexts.
      - Links to files are followed. Folders of version control such as C(.git) are left out.
    type: list
    elements: str
    required: true
  patterns:
    description:
      - Names of files in folders, with wildcards.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description:
      - Names of files and folders to leave out, with wildcards.
    type: list
    elements: str
    default: []
  max_bytes:
    description:
      - The size of the largest file to search. Larger files are left out.
    type: int
    default: 10485760
  key:
    description:
      - Name of the key whose ciphertexts to look for. If unset, the key that O(vars_files) name.
      - Ciphertexts of other keys do not rewrap, and are left unchanged.
    type: str
  contexts:
    description:
      - Names of secrets that may have been encrypted with a derived key. Each is tried as the context.
    type: list
    elements: str
    default: []
  vars_files:
    description:
      - Encrypted vars files on the controller. The names in them are tried as contexts as well, and the ciphertexts in
        them are recognized without a request.
    type: list
    elements: str
    default: []
  key_version:
    description:
      - The version of the key that no ciphertext should be behind. V(0) for the latest.
    type: int
    default: 0
"""
