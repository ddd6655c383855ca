#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_rewrap
version_added: 0.1.0
short_description: Carry the ciphertexts in the files of a host to another key version
description:
  - Finds ciphertexts of the Transit engine (C(vault:vN:...)) in files of any text format, has those behind the wanted
    key version rewrapped by the server, and puts them back. Everything else in a file stays as it is, byte for byte.
  - No plaintext leaves the server. All ciphertexts of a host go there in one request for the most part.
  - It is the controller that asks the server. The host needs Python and nothing else, neither a token nor a library.
  - Each file is replaced in one step, and keeps its owner, mode and SELinux context.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac (on the controller)
options:
  limit:
    description:
      - How many ciphertexts are rewrapped at most. The others wait for the next run.
    type: int
  replacements:
    description:
      - What took the place of ciphertexts, by their digests, as
        RV(mlkeys.transit.vault_transit_vars#module:successors) tells. It is put in place without asking the server, so
        that a host's file goes on holding what the vars file holds.
    type: dict
    default: {}
  texts:
    description:
      - Filled in by the controller, when it knows what takes the place of what.
    type: json
    default: "{}"
  parts:
    description:
      - Filled in by the controller, for files that hold more ciphertexts than are rewrapped at a time.
    type: json
    default: "{}"
  replace:
    description:
      - Names of secrets whose ciphertexts, whatever their values, are replaced by those that O(vars_files) hold.
    type: list
    elements: str
    default: []
  strict:
    description:
      - Whether to fail when a ciphertext can be neither rewrapped nor proven to belong to another key, or when a file
        could not be searched. If V(false), that is a warning.
    type: bool
    default: false
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._ciphertexts
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows files, lines, names and versions.
  idempotent:
    support: full
notes:
  - The token needs C(update) on C(transit/rewrap/KEY), and C(read) on C(transit/keys/KEY) or C(update) on
    C(transit/hmac/KEY).
  - An encrypted vars file is better carried over by M(mlkeys.transit.vault_transit_vars), which also renews its
    fingerprints.
  - More than 20,000 ciphertexts are carried over a part at a time, so that memory stays small. After each part a line
    on the standard error output tells how far it is.
  - The server cannot rewrap what is bound to associated data. Such a ciphertext is unknown.
seealso:
  - module: mlkeys.transit.vault_transit_ciphertext_info
  - module: mlkeys.transit.vault_transit_vars
"""

EXAMPLES = r"""
- name: Carry what the host has to the key's latest version
  mlkeys.transit.vault_transit_rewrap:
    paths:
      - "{{ gateway_root }}/etc"
    patterns: ["*.env", "*.yaml", "*.hcl"]
    key: ml-api-key
    contexts: [openai_api_key, anthropic_api_key]
"""

RETURN = r"""
key_version:
  description: The version that was wanted.
  returned: success
  type: int
  sample: 2
totals:
  description:
    - How many ciphertexts were C(rewrapped), C(kept) because they were there already, C(left) for the next run,
      C(foreign) (proven to be of another key), C(unknown) (no key that was tried owns them), C(too_old) for the key's
      C(min_decryption_version), and C(stuck) where their place in the file cannot hold another one.
  returned: success
  type: dict
  sample:
    rewrapped: 3
    kept: 0
    left: 0
    foreign: 1
    unknown: 1
    too_old: 0
    stuck: 0
files:
  description: The same for each file that holds any.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/.env
      rewrapped: 3
      kept: 0
      left: 0
      foreign: 1
      unknown: 1
      too_old: 0
      stuck: 0
problems:
  description: What could not be rewrapped, and why. The first hundred.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/.env
      line: 9
      name: OTHER_KEY
      version: 1
      state: unknown
      reason: >-
        it does not decrypt: another key, another context or associated data, or the ciphertext is damaged
      tried: ["transit/ml-api-key as other_key, OTHER_KEY, openai_api_key", "transit/other-key"]
unread:
  description: Places that could not be searched, or whose ciphertexts cannot be replaced.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/cache.db
      reason: binary file holds a ciphertext
      kind: binary
not_searched:
  description: Compressed files.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/app.log.gz
      reason: compressed (gzip), not searched
      kind: compressed
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import rewrap_spec, run_replacing


def main() -> None:
    module = AnsibleModule(argument_spec=rewrap_spec(), supports_check_mode=True)
    run_replacing(module)


if __name__ == "__main__":
    main()
