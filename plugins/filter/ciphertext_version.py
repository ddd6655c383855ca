# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ciphertext_version
version_added: 0.1.0
short_description: The key version of a Transit ciphertext
description:
  - Returns the version of the key that a ciphertext (C(vault:vN:...)) was encrypted with, without the server.
  - Anything that is not a ciphertext is refused. The message does not show it.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The ciphertext.
    type: str
    required: true
seealso:
  - plugin: mlkeys.transit.ciphertext
    plugin_type: test
  - module: mlkeys.transit.vault_transit_ciphertext_info
"""

EXAMPLES = r"""
- name: Refuse ciphertext of an old version
  ansible.builtin.assert:
    that:
      - sealed | mlkeys.transit.ciphertext_version >= 3
    quiet: true
  vars:
    sealed: vault:v3:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
"""

RETURN = r"""
_value:
  description: The version.
  type: int
  sample: 3
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ciphertexts import version_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted


def ciphertext_version_of(value: Any) -> int:
    version = version_of(decrypted(value))
    if version is None:
        raise AnsibleFilterError("ciphertext_version: the value is not a Transit ciphertext (vault:vN:...).")
    return version


class FilterModule:
    def filters(self) -> dict[str, Callable[..., int]]:
        return {"ciphertext_version": ciphertext_version_of}
