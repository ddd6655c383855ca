#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_ciphertext_info
version_added: 0.1.0
short_description: Find the ciphertexts in the files of a host
description:
  - Finds ciphertexts of the Transit engine (C(vault:vN:...)) in files of any text format, with the names before them
    and their key versions.
  - If O(key), O(keys) or O(vars_files) are set, the controller asks the server which key each ciphertext belongs to.
    Usually one request for each key is enough. No plaintext leaves the server.
  - The host needs only Python.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac (on the controller, if O(key), O(keys) or O(vars_files) are set)
options:
  keys:
    description:
      - Several keys whose ciphertexts to look for, instead of O(key). The keys of O(vars_files) are always included.
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
          - Path of its engine. If unset, O(backend).
        type: str
  report_documents:
    description:
      - Whether to report the entries of O(documents) as well. Their paths are those of the documents, mount included.
    type: bool
    default: false
  states:
    description:
      - List only ciphertexts in one of these states, and those that cannot be replaced in their file (C(problem)). All
        are counted.
    type: list
    elements: str
    choices: [current, behind, too old, foreign, unknown]
  after:
    description:
      - Set by the controller only, which asks for a part of the files at a time.
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
- name: Find the ciphertexts on the host, and those of them that belong to a key
  mlkeys.transit.vault_transit_ciphertext_info:
    paths: ["{{ gateway_root }}/etc"]
    key: ml-api-key
    contexts: [openai_api_key]
  register: found

- name: Show the files with ciphertexts behind the key's latest version
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
      description: The name before it on its line, empty if there is none.
      type: str
      returned: always
    version:
      description: Its key version.
      type: int
      returned: always
    state:
      description:
        - V(current), V(behind) the wanted version, V(too old) for the key's C(min_decryption_version), V(foreign) if
          another key is proven to own it, or V(unknown) if no key owns it or none is set.
        - The server does not check whose a ciphertext below C(min_decryption_version) is. Unless C(secret) names it, it
          may belong to another key.
      type: str
      returned: always
    secret:
      description: Name of the secret, if it is known.
      type: str
      returned: always
    backend:
      description: Path of the engine of that key.
      type: str
      returned: always
    key:
      description: Name of the key that it belongs to.
      type: str
      returned: always
    form:
      description:
        - How it is written there, V(plain), or escaped or encoded as in V(json) and V(base64).
        - If it ends in V(template), the template of an agent decrypts it with the context C(name). That has to be its
          own context, or its state is V(unknown). V(template without context) is the same for a call without one.
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
documents:
  description:
    - The documents of a KV engine that O(documents) and O(vars_files) name, with their earlier versions that were not
      destroyed (C(earlier)), whether the token may list these (C(is_known), which needs C(read) on
      C(MOUNT/metadata/PATH)), and the oldest version of a key that an entry of the latest one has (C(oldest)).
  returned: with O(report_documents)
  type: list
  elements: dict
  sample:
    - path: secret/apps/keys
      earlier: [1, 2]
      is_known: true
      oldest: 2
files:
  description: How many files were searched.
  returned: success
  type: int
  sample: 12
unnamed:
  description:
    - Ciphertexts of which nothing shows the secret, since their key is not derived, none of O(vars_files) holds them,
      and their places have other names. Each may hold the value of any secret.
    - Their C(count), and the C(path), the C(line) and the C(name) of the C(first) 100.
  returned: success
  type: dict
  sample:
    count: 1
    first:
      - path: /srv/app/.env
        line: 3
        name: API_TOKEN
left_out:
  description: How many files and folders the options leave out, by reason.
  returned: success
  type: dict
  sample:
    excluded: 1
counts:
  description: The number of ciphertexts of each key, version and state.
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
  description: The keys whose ciphertexts were looked for, with the version of each that no ciphertext should be behind.
  returned: success
  type: list
  elements: dict
  sample:
    - backend: transit
      name: ml-api-key
      key_version: 2
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import info_spec, run_search
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec


def argument_spec() -> Spec:
    return info_spec()


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run_search(module)


if __name__ == "__main__":
    main()
