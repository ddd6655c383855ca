#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_ciphertext_info
version_added: 0.1.0
short_description: Tell which ciphertexts are in the files of a host
description:
  - Finds ciphertexts of the Transit engine (C(vault:vN:...)) in files of any text format, with the names that they
    have there and their key versions.
  - Where O(key), O(keys) or O(vars_files) are given, the controller asks the server whose each one is, in one request
    for each key for the most part. No plaintext is seen.
  - The host needs Python and nothing else.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac (on the controller, where O(key), O(keys) or O(vars_files) are given)
options:
  keys:
    description:
      - Several keys whose ciphertexts may be there, in place of O(key). Those of O(vars_files) are always among them.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the key.
        type: str
        required: true
      backend:
        description:
          - Path of its engine. That of O(backend) when it is not given.
        type: str
  states:
    description:
      - Lists only ciphertexts in one of these states, and those that their file does not let replace (C(problem)). All
        are counted.
    type: list
    elements: str
    choices: [current, behind, too old, foreign, unknown]
  after:
    description:
      - Filled in by the controller, which asks for a part of the files at a time.
    type: json
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._attributes.info_module
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._ciphertexts
  - mlkeys.transit._connection
notes:
  - The token needs C(update) on C(transit/rewrap/KEY), and C(read) on C(transit/keys/KEY) or C(update) on
    C(transit/hmac/KEY).
seealso:
  - module: mlkeys.transit.vault_transit_rewrap
"""

EXAMPLES = r"""
- name: Which ciphertexts are on the host, and whose are they?
  mlkeys.transit.vault_transit_ciphertext_info:
    paths: ["{{ gateway_root }}/etc"]
    key: ml-api-key
    contexts: [openai_api_key]
  register: found

- name: Name the files with ciphertexts behind the key's latest version
  ansible.builtin.debug:
    msg: "{{ found.ciphertexts | selectattr('state', 'eq', 'behind') | map(attribute='path') | unique }}"
"""

RETURN = r"""
ciphertexts:
  description: The ciphertexts, by file and line.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      returned: always
    line:
      description: Its line.
      type: int
      returned: always
    name:
      description: What it is called there, empty when it has no name on its line.
      type: str
      returned: always
    version:
      description: The key version that it says itself.
      type: int
      returned: always
    state:
      description:
        - V(current), V(behind) the wanted version, V(too old) for the key's C(min_decryption_version), V(foreign) for
          one that another key is proven to own, or V(unknown) where no key owns it or none was given.
        - A key does not check whose a ciphertext below its floor (C(min_decryption_version)) is. Unless C(secret) names
          it, it may be one of another key.
      type: str
      returned: always
    secret:
      description: Name of the secret, where it is known.
      type: str
      returned: always
    backend:
      description: Path of the engine whose it is.
      type: str
      returned: always
    key:
      description: Name of the key whose it is.
      type: str
      returned: always
    form:
      description: How it is written there, V(plain), or escaped or encoded as in V(json) and V(base64).
      type: str
      returned: always
    problem:
      description: Why it cannot be replaced there, empty where it can.
      type: str
      returned: always
    reason:
      description: Why no key owns it.
      type: str
      returned: always
    tried:
      description: The keys and contexts that do not own it.
      type: list
      elements: str
      returned: always
  sample:
    - path: /srv/assistant/.env
      line: 7
      name: OPENAI_API_KEY
      version: 1
      state: behind
      secret: openai_api_key
      backend: transit
      key: ml-api-key
unread:
  description: Places that could not be searched, or whose ciphertexts cannot be replaced.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/private
      reason: Permission denied
      kind: denied
not_searched:
  description: Compressed files.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /srv/assistant/app.log.gz
      reason: compressed (gzip), not searched
      kind: compressed
files:
  description: How many files were searched.
  returned: success
  type: int
  sample: 12
skipped:
  description: How many files and folders the options leave out, by reason.
  returned: success
  type: dict
  sample:
    version control: 1
counts:
  description: How many ciphertexts there are of each key, version and state.
  returned: success
  type: list
  elements: dict
  sample:
    - backend: transit
      key: ml-api-key
      version: 1
      state: behind
      count: 1
keys:
  description: The keys that were asked for, with the version of each that no ciphertext shall be behind.
  returned: success
  type: list
  elements: dict
  sample:
    - backend: transit
      name: ml-api-key
      key_version: 2
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import info_spec, run_search


def main() -> None:
    module = AnsibleModule(argument_spec=info_spec(), supports_check_mode=True)
    run_search(module)


if __name__ == "__main__":
    main()
