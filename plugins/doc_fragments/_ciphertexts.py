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
      - Files and folders of the host, and patterns such as V(/etc/mlkeys/*/agent.hcl). Patterns also match
        names that begin with a dot, such as C(.env). A pattern that matches nothing is named among the places that
        could not be searched. Paths that are not patterns must exist.
      - Files may have any text format and any size. Ciphertexts are found as they are, escaped as in JSON, YAML, XML
        and URLs, folded over several lines, and encoded in base64. Fingerprints in encrypted vars files do not count
        as ciphertexts.
      - Links to files and folders are followed. Where a user other than root and the one that runs the module may make
        links, they are followed within the folder of that user. A folder elsewhere, and a file elsewhere that holds
        ciphertext, is named among the places that could not be searched. Name it in O(paths), or exclude the link.
      - Folders of version control such as C(.git) are searched, but never changed. Their compressed histories are named
        and not searched.
      - Binary files, text in UTF-16, files in folders that cannot be written, and files with other names (hard links)
        outside of the paths are searched, but never changed. Compressed files, and files with compressed data in
        base64, are named and not searched.
    type: list
    elements: str
    required: true
  optional_paths:
    description:
      - Files and folders that are searched as well, and need not exist.
    type: list
    elements: str
    default: []
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
      - The size of the largest file to search. Larger files are named among those that were not searched.
      - If unset, files of any size are searched.
    type: int
  key:
    description:
      - Name of the key whose ciphertexts to look for. If unset, the key that O(vars_files) name.
      - The server rewraps a ciphertext only with the key and the context that it was encrypted with. That proves whose
        it is. Those of other keys are left unchanged.
    type: str
  contexts:
    description:
      - Names of secrets that may have been encrypted with a derived key. Each is tried as the context, after what the
        file itself calls the ciphertext (V(openai_api_key) and V(OPENAI_API_KEY) for C(OPENAI_API_KEY=)).
    type: list
    elements: str
    default: []
  vars_files:
    description:
      - Encrypted vars files on the controller. The names in them are tried as contexts as well, and copies of the
        ciphertexts in them are recognized without a request.
    type: list
    elements: str
    default: []
  documents:
    description:
      - Documents of a KV engine that M(mlkeys.transit.vault_transit_vars) writes, and to which no file points. They are
        used as those of O(vars_files).
    type: list
    elements: dict
    default: []
    suboptions:
      kv_mount:
        description:
          - Path where the KV engine is mounted.
        type: str
        default: secret
      kv_path:
        description:
          - Path of the document in it.
        type: str
        required: true
  key_version:
    description:
      - The version of the key that no ciphertext should be behind. V(0) for the latest.
    type: int
    default: 0
  other_backends:
    description:
      - Further Transit engines. What is not of O(key) is tried with the other keys of its engine and of these, as far
        as the token may list them and rewrap with them. A key that rewraps it owns it.
    type: list
    elements: str
    default: []
"""
