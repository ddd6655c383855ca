# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_transit
version_added: 0.1.0
short_description: Encrypt, decrypt, rewrap and fingerprint values with the Transit secrets engine
description:
  - Sends all terms of one call to the Transit engine of HashiCorp Vault or OpenBao in one request, as far as the
    server's limits allow, and returns the results in the order of the terms.
  - Terms and results are plain text. The plugin encodes to base64, as the server's API requires.
  - Errors name a failed term by its position, and by its name if it has one, never by its content.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  _terms:
    description:
      - The values. Plaintext for O(operation=encrypt) and O(operation=hmac), ciphertext for the others.
      - A term is a string, a list of terms, or a dictionary with C(value) and any of C(name) (for messages),
        C(context), C(associated_data) and C(key_version), which override the options of the same names.
      - With O(kv_path), the names of the secrets, or of the fields with O(operation=kv_get).
      - With O(operation=read) and no terms, the lookup returns the whole document, a dictionary like an encrypted vars
        file.
      - With O(operation=kv_get) and no terms, the lookup returns all fields as one dictionary, which is empty if the
        secret or the engine does not exist.
    type: list
    elements: raw
    required: false
  operation:
    description:
      - What to do with the terms.
      - V(encrypt) returns a new ciphertext in every run. To keep the ciphertext while the plaintext is the same, use
        M(mlkeys.transit.vault_transit_vars).
      - V(rewrap) returns ciphertext of the key's latest version. The plaintext does not leave the server.
      - V(hmac) returns a fingerprint (sha2-256) that is always the same for the same value and key version.
      - V(read) requires O(kv_path) and returns ciphertext as it is stored. It needs no permission to decrypt.
      - V(kv_get) requires O(kv_path) and returns fields of any secret in a KV engine (version 2) as they are stored,
        which may be plaintext. Use it to encrypt what is in such an engine.
    type: str
    choices:
      - decrypt
      - encrypt
      - hmac
      - kv_get
      - read
      - rewrap
    default: decrypt
  key:
    description:
      - Name of the key.
      - If the token may read the key, O(operation=encrypt) first checks that it exists, so that a mistyped name does
        not create a key.
      - Required unless O(operation) is V(kv_get) or V(read). With O(kv_path), O(key) and O(backend) must be those that
        the document names.
    type: str
  kv_path:
    description:
      - Path of an encrypted document in a KV engine, written by M(mlkeys.transit.vault_transit_vars) with
        O(mlkeys.transit.vault_transit_vars#module:store=kv), whose secrets to decrypt or read.
      - With O(operation=kv_get), path of any secret.
    type: str
  kv_mount:
    description:
      - Path where the KV engine is mounted.
    type: str
    default: secret
  context:
    description:
      - The context of a derived key, as plain text. For entries of a file that M(mlkeys.transit.vault_transit_vars)
        wrote, this is the name of the variable.
    type: str
  associated_data:
    description:
      - Additional data to bind the ciphertext to, as plain text. Decrypting requires the same data.
    type: str
  key_version:
    description:
      - Version of the key to encrypt, rewrap or fingerprint with. V(0) is the latest.
    type: int
    default: 0
  encoding:
    description:
      - How plaintext is encoded, in terms and in results.
      - Use V(base64) for binary values.
    type: str
    choices:
      - base64
      - utf-8
    default: utf-8
extends_documentation_fragment:
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._backend
  - mlkeys.transit._backend.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
notes:
  - Decrypted values are plaintext. C(--diff) shows them in the diff of a template, so set C(diff=false) and
    C(no_log=true) on such tasks, or deliver the ciphertext and decrypt it where it is used.
seealso:
  - module: mlkeys.transit.vault_transit_vars
  - module: mlkeys.transit.vault_transit_key
"""

EXAMPLES = r"""
- name: Encrypt a value
  ansible.builtin.set_fact:
    ciphertext: >-
      {{ lookup('mlkeys.transit.vault_transit', 'sk-not-a-real-key', operation='encrypt',
                key='ml-api-key', context='openai_api_key') }}

- name: Decrypt and check a value without showing it
  ansible.builtin.assert:
    that:
      - lookup('mlkeys.transit.vault_transit', ciphertext, key='ml-api-key', context='openai_api_key').endswith('-key')
    quiet: true

- name: Decrypt several values in one request
  ansible.builtin.assert:
    that:
      - query('mlkeys.transit.vault_transit', secrets, key='ml-api-key') | length == 2
    quiet: true
  vars:
    secrets:
      - name: openai_api_key
        value: "{{ ciphertext }}"
        context: openai_api_key
      - name: the same again
        value: "{{ ciphertext }}"
        context: openai_api_key

- name: Rewrap a ciphertext to the latest version of the key
  ansible.builtin.debug:
    msg: >-
      {{ lookup('mlkeys.transit.vault_transit', ciphertext, operation='rewrap',
                key='ml-api-key', context='openai_api_key') }}
"""

RETURN = r"""
_raw:
  description: The results, in the order of the terms.
  type: list
  elements: raw
  sample:
    - vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.operations import look_up
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import connection_options, run
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import templated_variables

_OPTIONS = (
    *("operation", "key", "backend", "context", "associated_data", "key_version", "encoding"),
    *("kv_path", "kv_mount"),
)


class LookupModule(LookupBase):
    @property
    def load_name(self) -> str:
        """The name under which Ansible keeps this plugin's documentation."""
        return str(self._load_name)

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        configured = templated_variables(self.load_name, variables or {}, self._templar)
        self.set_options(var_options=configured, direct=kwargs)
        options = {name: self.get_option(name) for name in _OPTIONS}
        return run(connection_options(self.get_option), lambda client: look_up(client, decrypted(terms), options))
