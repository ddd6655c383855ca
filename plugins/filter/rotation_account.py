# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotation_account
version_added: 0.1.0
short_description: Show whether the floor (min_decryption_version) of a key may be raised
description:
  - Takes the variables of hosts after the tasks of the playbook C(mlkeys.transit.rotate). Shows what was searched,
    which ciphertexts were found, whose they are, and what keeps the floor where it is.
  - The playbook raises the floor only if nothing blocks.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The variables of each host.
    type: list
    elements: dict
    required: true
  scope:
    description:
      - The key (C(backend), C(key)), the version that no ciphertext should be behind (C(target)), and options of the
        playbook.
    type: dict
    required: true
  here:
    description:
      - The result of M(mlkeys.transit.vault_transit_ciphertext_info) for the encrypted vars files.
    type: dict
    required: true
  controller:
    description:
      - The name of the host that holds the encrypted vars files.
    type: str
    default: localhost
  seen:
    description:
      - The variable that holds the result of M(mlkeys.transit.vault_transit_ciphertext_info) for a host.
    type: str
    default: vault_transit_proof
seealso:
  - module: mlkeys.transit.vault_transit_ciphertext_info
"""

EXAMPLES = r"""
- name: Search a vars file
  mlkeys.transit.vault_transit_ciphertext_info:
    paths: ["{{ playbook_dir }}"]
    key: ml-api-key
  register: found

- name: Show what keeps the floor where it is
  ansible.builtin.debug:
    msg: "{{ (groups['all'] | map('extract', hostvars) | mlkeys.transit.rotation_account(scope, found)).blocking }}"
  vars:
    scope:
      backend: transit
      key: ml-api-key
      target: 2
"""

RETURN = r"""
_value:
  description:
    - The account, with the numbers of C(files) and C(ciphertexts), what is C(unknown), C(unread) or C(behind), the
      C(hosts) that were not searched, where each of the C(replaced) secrets was (C(everywhere) or C(incomplete)), the
      C(unnamed) ciphertexts of which nothing shows the secret, the C(rotation) (whether a version was created, the age
      of the one before, and at which it is due), what is C(blocking), and whether it is C(clean).
  type: dict
  sample:
    key: transit/ml-api-key
    target: 2
    files: 12
    clean: false
    blocking: ["these hosts could not be looked at: gateway-b (unreachable)"]
"""

from typing import Any, Callable, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import all_printable
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account import PROOF, account
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.scope import Scope

# Anyone who names a file on a host must not write to the terminal of anyone who runs this. Paths stay as they are.
_SENTENCES = ("refused", "blocking", "summary")


def rotation_account(
    hosts: Any, scope: Mapping[str, Any], here: Mapping[str, Any], controller: str = "localhost", seen: str = PROOF
) -> dict[str, Any]:
    found = account(Scope(**scope), here, controller, hosts, seen)
    return {name: all_printable(value) if name in _SENTENCES else value for name, value in found.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rotation_account": rotation_account}
