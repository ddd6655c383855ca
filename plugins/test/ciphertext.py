# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ciphertext
version_added: 0.1.0
short_description: Test whether a value is a Transit ciphertext
description:
  - Returns whether the value has the form of a Transit ciphertext (C(vault:vN:...)), with white space around it or not.
  - This needs no server, so it is also V(true) for a ciphertext of another server, for a damaged one, and for a
    signature or an HMAC, which have the same form. To prove that a value decrypts, decrypt it with
    P(mlkeys.transit.vault_transit#lookup).
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The value. Anything that is not a string is not a ciphertext.
    type: raw
    required: true
seealso:
  - plugin: mlkeys.transit.ciphertext_of
    plugin_type: test
  - plugin: mlkeys.transit.ciphertext_version
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a plaintext where a ciphertext is expected
  ansible.builtin.assert:
    that:
      - sealed is mlkeys.transit.ciphertext
      - "'sk-not-a-real-key' is not mlkeys.transit.ciphertext"
    quiet: true
  vars:
    sealed: vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
"""

RETURN = r"""
_value:
  description: Whether the value has the form of a ciphertext.
  type: bool
  sample: true
"""

from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ciphertexts import version_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted


def is_ciphertext(value: Any) -> bool:
    return version_of(decrypted(value)) is not None


class TestModule:
    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"ciphertext": is_ciphertext}
