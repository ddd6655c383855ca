# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotation_verdict
version_added: 0.1.0
short_description: Check whether the floor of a key may be raised
description:
  - Takes the variables of hosts after the tasks of the playbook C(mlkeys.transit.rotate). Returns which hosts could not
    be looked at, and which ciphertexts would no longer decrypt if the key's floor (C(min_decryption_version)) were
    raised.
  - The playbook raises the floor only if there are none of both.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The variables of each host.
    type: list
    elements: dict
    required: true
  seen:
    description:
      - The variable with the result of M(mlkeys.transit.vault_transit_ciphertext_info) for a host.
    type: str
    default: vault_transit_proof
seealso:
  - module: mlkeys.transit.vault_transit_ciphertext_info
"""

EXAMPLES = r"""
- name: Check whether the floor may be raised
  ansible.builtin.debug:
    msg: "{{ (groups['all'] | map('extract', hostvars) | mlkeys.transit.rotation_verdict).clean }}"
"""

RETURN = r"""
_value:
  description: Whether all is C(clean), the C(missing) hosts with reasons, the ciphertexts C(behind), and a C(text).
  type: dict
  sample:
    clean: false
    missing:
      gateway-b: unreachable
    behind: []
    left: 0
    text: "these hosts could not be looked at: gateway-b (unreachable)"
"""

from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.rotation import PROOF, verdict


def rotation_verdict(hosts: Any, seen: str = PROOF) -> dict[str, Any]:
    found = verdict(hosts, seen)
    return {
        "clean": found.clean,
        "missing": dict(found.missing),
        "behind": list(found.behind),
        "left": found.left,
        "text": found.text,
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rotation_verdict": rotation_verdict}
