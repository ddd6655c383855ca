# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status
version_added: 0.1.0
short_description: Summarize the state of keys and of a fleet's ciphertexts
description:
  - Takes the variables of hosts after the tasks of the playbook C(mlkeys.transit.status), and the keys. Returns which
    versions the ciphertexts use, what is overdue, and which problems there are.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The variables of each host, with the result of M(mlkeys.transit.vault_transit_ciphertext_info) as
        C(vault_transit_seen).
    type: list
    elements: dict
    required: true
  keys:
    description:
      - Keys as M(mlkeys.transit.vault_transit_key_info) returns them.
    type: list
    elements: dict
    required: true
  older_than:
    description:
      - Days after which a key is overdue that the server does not rotate by itself.
    type: int
    default: 90
  login_within:
    description:
      - Days before the end of a host's secret ID from which on a warning names it.
    type: int
    default: 14
  pattern:
    description:
      - The names of the hosts to look at, whether or not a run is limited to some of them.
    type: list
    elements: str
    default: []
  rotate:
    description:
      - The command that rotates keys of these hosts, without C(--key), for the advice in RV(_value).
    type: str
    default: mlkeys rotate
  site:
    description:
      - The command that deploys services to these hosts, for the advice in RV(_value).
    type: str
    default: ansible-playbook mlkeys.transit.site
seealso:
  - module: mlkeys.transit.vault_transit_ciphertext_info
  - module: mlkeys.transit.vault_transit_key_info
"""

EXAMPLES = r"""
- name: Read the keys
  mlkeys.transit.vault_transit_key_info:
  register: found

- name: Show their state
  ansible.builtin.debug:
    msg: "{{ (groups['all'] | map('extract', hostvars) | mlkeys.transit.status(found.transit_keys)).summary }}"
"""

RETURN = r"""
_value:
  description:
    - The C(keys) with their versions and the number of ciphertexts of each, all C(ciphertexts) with their places, the
      C(services) of hosts with the versions that they started with and the end of their secret IDs, the
      C(hosts) that were C(seen), the C(controller), both in words (C(looked_at)), and the hosts that are C(missing),
      the C(problems) with their C(severity) (V(error), V(warning) or V(note)), whether all is C(healthy) (notes do not
      change that), and a C(summary) in words. The floor of a key is its C(min_decryption_version).
  type: dict
  sample:
    keys:
      - backend: transit
        name: ml-api-key
        type: aes256-gcm96
        latest_version: 2
        min_decryption_version: 1
        age_seconds: 259200
        auto_rotate_period: 0
        overdue: false
        versions:
          - version: 1
            age_seconds: 8640000
            creation_time: "2026-05-28T09:00:00Z"
            ciphertexts: 1
            state: behind
          - version: 2
            age_seconds: 259200
            creation_time: "2026-09-02T09:00:00Z"
            ciphertexts: 8
            state: current
    ciphertexts: []
    services:
      - host: gateway-a
        service: litellm
        versions: [2]
        runs: true
        login_expires: "2026-12-01T09:00:00Z"
    hosts:
      seen: [gateway-a]
      controller: localhost
      looked_at: 1 host and the controller
      missing: {}
    problems:
      - severity: warning
        text: >-
          transit/ml-api-key: 1 ciphertext on 1 host still uses v1: gateway-a:/srv/.env:3. The latest is v2. Run: mlkeys
          rotate --key transit/ml-api-key
    healthy: false
    summary:
      - "transit/ml-api-key: v2, 3 d old, floor v1; ciphertexts: 1 at v1, 8 at v2"
"""

import time
from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.status import Logins, status


def status_filter(
    hosts: Any,
    keys: Any,
    older_than: Any = 90,
    login_within: Any = 14,
    pattern: Any = (),
    rotate: Any = "mlkeys rotate",
    site: Any = "ansible-playbook mlkeys.transit.site",
) -> dict[str, Any]:
    logins = Logins(time.time(), int(float(login_within) * 86400), str(site))
    return status(keys, hosts, int(float(older_than) * 86400), logins, pattern, str(rotate))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status": status_filter}
