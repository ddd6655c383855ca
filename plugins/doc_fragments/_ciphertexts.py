# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where ciphertexts are looked for, and whose they are. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  paths:
    description:
      - Files and folders of the host, and patterns such as V(/etc/mlkeys/*/agent.hcl). What is no pattern must exist.
      - Files may be of any text format. Fingerprints in encrypted vars files are no ciphertexts.
      - Links to files are followed, and C(.git) and its like are left out.
    type: list
    elements: str
    required: true
  patterns:
    description:
      - What files in folders are called.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description:
      - What files and folders are called that are left out.
    type: list
    elements: str
    default: []
  max_bytes:
    description:
      - Larger files are left out.
    type: int
    default: 10485760
  key:
    description:
      - Name of the key whose ciphertexts are meant. What O(vars_files) say when it is not given.
      - Ciphertexts of other keys are recognised by that they do not rewrap, and left alone.
    type: str
  contexts:
    description:
      - Names of secrets that may have been encrypted with a derived key. Each is tried as context.
    type: list
    elements: str
    default: []
  vars_files:
    description:
      - Encrypted vars files on the controller. Their names are tried as well, and their ciphertexts are known without
        asking.
    type: list
    elements: str
    default: []
  key_version:
    description:
      - The version of the key that no ciphertext shall be behind. V(0) for the latest.
    type: int
    default: 0
"""
