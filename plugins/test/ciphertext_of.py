# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ciphertext_of
version_added: 0.1.0
short_description: Test whether a value may be a ciphertext of a key
description:
  - Returns whether the value has the form of a Transit ciphertext, a version that the key has, and a size that a key of
    this type produces.
  - V(false) is certain. V(true) means that nothing speaks against it. A ciphertext does not hold the name of its key,
    so without the server nobody can know more. To prove that it is of the key, decrypt or rewrap it with
    P(mlkeys.transit.vault_transit#lookup), or use M(mlkeys.transit.vault_transit_ciphertext_info).
  - A version below the key's C(min_decryption_version) is a version of the key. A version that was trimmed is not.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The value. Anything that is not a string is not a ciphertext.
    type: raw
    required: true
  key:
    description:
      - The key, as M(mlkeys.transit.vault_transit_key_info) and M(mlkeys.transit.vault_transit_key) return it.
      - For the types C(external-key) and C(managed_key), and for types that only newer servers have, the test compares
        the version only.
    type: dict
    required: true
seealso:
  - module: mlkeys.transit.vault_transit_key_info
  - plugin: mlkeys.transit.ciphertext
    plugin_type: test
"""

EXAMPLES = r"""
- name: Read the key
  mlkeys.transit.vault_transit_key_info:
    name: ml-api-key
  register: found

- name: Refuse what cannot be of the key
  ansible.builtin.assert:
    that:
      - sealed is mlkeys.transit.ciphertext_of(found.transit_keys[0])
      - newer is not mlkeys.transit.ciphertext_of(found.transit_keys[0])
    quiet: true
  vars:
    sealed: vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
    newer: vault:v99:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
"""

RETURN = r"""
_value:
  description: Whether the value may be a ciphertext of the key.
  type: bool
  sample: true
"""

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ciphertexts import may_be_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted


def is_ciphertext_of(value: Any, key: Any) -> bool:
    if isinstance(key, Mapping):
        try:
            return may_be_of(decrypted(value), key)
        except ValueError:
            pass
    raise AnsibleFilterError(
        "ciphertext_of: key must be a key as vault_transit_key_info returns it, such as found.transit_keys[0]. A "
        "ciphertext does not hold the name of its key."
    )


class TestModule:
    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"ciphertext_of": is_ciphertext_of}
