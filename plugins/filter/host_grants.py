# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_grants
version_added: 0.1.0
short_description: Derive from the inventory what the hosts of each role must be granted
description:
  - Takes the variables of hosts, and returns the secrets that the services on the hosts of each role need.
  - A role is the AppRole of a host, or the role of another auth method that the host logs in as.
  - A policy with these grants allows the hosts to decrypt their own secrets, and nothing else.
  - The role P(mlkeys.transit.vault_transit#role) applies this filter to AppRoles and policies with C(grant_hosts).
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The variables of each host. The filter uses C(vault_transit_host_approle), C(vault_transit_host_services),
        C(vault_transit_host_key), C(vault_transit_host_backend), C(vault_transit_host_auth_method),
        C(vault_transit_host_auth_role), C(vault_transit_host_namespace) and C(vault_transit_host_auth_namespace).
    type: list
    elements: dict
    required: true
  namespace:
    description:
      - The namespace of hosts that do not set C(vault_transit_host_namespace).
    type: str
    default: ""
seealso:
  - module: mlkeys.transit.vault_transit_policy
"""

EXAMPLES = r"""
- name: Write a policy for each AppRole of the inventory
  mlkeys.transit.vault_transit_policy:
    name: "{{ item.key }}"
    grants: "{{ item.value }}"
  loop: "{{ groups['all'] | map('extract', hostvars) | mlkeys.transit.host_grants | dict2items }}"
  loop_control:
    label: "{{ item.key }}"
"""

RETURN = r"""
_value:
  description: Maps the name of each role to its grants for M(mlkeys.transit.vault_transit_policy).
  type: dict
  sample:
    llm-gateways:
      - backend: transit
        key: ml-api-key
        allow: [decrypt]
        secrets: [anthropic_api_key, openai_api_key]
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import grants_by_role


def host_grants(hosts: Any, namespace: str = "") -> dict[str, list[dict[str, Any]]]:
    try:
        return grants_by_role(hosts, namespace)
    except InvalidOption as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_grants": host_grants}
