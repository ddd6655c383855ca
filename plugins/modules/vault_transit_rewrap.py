#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_rewrap
version_added: 0.1.0
short_description: Rewrap the ciphertexts in the files of a host
description:
  - Finds ciphertexts of the Transit engine (C(vault:vN:...)) in files of any text format, has the server rewrap those
    behind the wanted key version, and puts them back. Everything else in a file stays as it is, byte for byte.
  - No plaintext leaves the server. Usually one request is enough for all ciphertexts of a host.
  - The controller sends the requests. The host needs only Python, neither a token nor a library.
  - Each file is replaced in one step, and keeps its owner, mode and SELinux context. A file that somebody else changes
    in the meantime is left as it is.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac (on the controller)
options:
  limit:
    description:
      - The maximum number of ciphertexts to rewrap. The others are left for the next run.
    type: int
  replacements:
    description:
      - What replaced ciphertexts, by the digests of these, as in
        RV(mlkeys.transit.vault_transit_vars#module:successors). These are replaced without a request, so that the files
        of a host keep holding the same ciphertexts as the vars file.
    type: dict
    default: {}
  texts:
    description:
      - Set by the controller only.
    type: json
    default: "{}"
  fingerprints:
    description:
      - Set by the controller only, for values that may have changed.
    type: json
    default: "{}"
  parts:
    description:
      - Filled in by the controller, with the places of the ciphertexts in the files.
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
  - For encrypted vars files, use M(mlkeys.transit.vault_transit_vars), which also renews their fingerprints. In copies
    of them, whatever else these files hold, the digests behind the fingerprints follow the ciphertexts. Where a value
    is replaced, its fingerprint comes from O(vars_files); a copy with a value that is not there stays as it is.
  - More than 10,000 ciphertexts are rewrapped in parts, so that memory stays small. After each part, a line on standard
    error shows the progress.
  - The server cannot rewrap ciphertexts with associated data. Such a ciphertext is unknown.
seealso:
  - module: mlkeys.transit.vault_transit_ciphertext_info
  - module: mlkeys.transit.vault_transit_vars
"""

EXAMPLES = r"""
- name: Rewrap all ciphertexts of the host with the key's latest version
  mlkeys.transit.vault_transit_rewrap:
    paths:
      - "{{ gateway_root }}/etc"
    patterns: ["*.env", "*.yaml", "*.hcl"]
    key: ml-api-key
    contexts: [openai_api_key, anthropic_api_key]
"""

RETURN = r"""
key_version:
  description: The wanted key version.
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
  description: The same numbers for each file with ciphertexts.
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
  description: The first hundred ciphertexts that could not be rewrapped, with reasons.
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
  description:
    - Compressed files, and places that hold no data (sockets, named pipes, devices, file systems of
      the kernel such as C(/proc), and links to nothing).
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/old.env.gz
      reason: compressed (gzip), not searched
      kind: compressed
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import rewrap_spec, run_replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec


def argument_spec() -> Spec:
    return rewrap_spec()


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run_replacing(module)


if __name__ == "__main__":
    main()
