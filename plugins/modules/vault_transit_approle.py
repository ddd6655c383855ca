#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_approle
version_added: 0.1.0
short_description: Manage the AppRole roles that machines log in with
description:
  - Creates, changes and deletes a role of the AppRole auth method of HashiCorp Vault or OpenBao, and enables the auth
    method where it is missing.
  - Without a name, it enables, describes or disables the auth method alone.
  - Unset options are left unchanged.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  name:
    description:
      - Name of the role. If unset, the module manages the auth method at O(path), and no role.
    type: str
  path:
    description:
      - Where the auth method is mounted. This is not O(mount_point), the auth method that this module itself logs in
        with.
    type: str
    default: approle
  enable:
    description:
      - Enable the auth method at O(path) when nothing is mounted there.
    type: bool
    default: true
  description:
    description:
      - What the auth method is for, for a method that the module enables. Without O(name), also for one that exists.
    type: str
  state:
    description:
      - Whether the role exists. V(absent) deletes the role and all of its secret IDs, and leaves the auth method
        enabled.
      - Without O(name), V(absent) disables the auth method. A method that holds roles is not disabled.
    type: str
    choices:
      - absent
      - present
    default: present
  token_policies:
    description:
      - Names of the policies of its tokens.
    type: list
    elements: str
  token_ttl:
    description:
      - How long a token lives, for example V(1h) or V(3600). V(0) means the server's default.
    type: str
  token_max_ttl:
    description:
      - How long a token can be renewed, written like O(token_ttl).
    type: str
  token_explicit_max_ttl:
    description:
      - The maximum lifetime of a token, including all renewals, written like O(token_ttl).
    type: str
  token_period:
    description:
      - Makes tokens that can be renewed indefinitely, each time for this period, written like O(token_ttl).
    type: str
  token_num_uses:
    description:
      - How often a token can be used. V(0) means no limit.
    type: int
  token_bound_cidrs:
    description:
      - Networks from which a token can be used.
    type: list
    elements: str
  token_no_default_policy:
    description:
      - Leave out the policy C(default). The token then cannot renew itself unless another policy allows it.
    type: bool
  token_type:
    description:
      - The kind of token, V(default), V(service) or V(batch).
    type: str
  bind_secret_id:
    description:
      - Whether a login needs a secret ID besides the role ID.
    type: bool
  secret_id_ttl:
    description:
      - How long a secret ID lives, written like O(token_ttl). V(0) means forever.
    type: str
  secret_id_num_uses:
    description:
      - How often a secret ID can be used. V(0) means no limit.
    type: int
  secret_id_bound_cidrs:
    description:
      - Networks from which a login is possible.
    type: list
    elements: str
  local_secret_ids:
    description:
      - Keep secret IDs out of replication.
      - It can only be set when the role is created.
    type: bool
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The token needs C(read) and C(update) on C(auth/PATH/role/NAME) and C(create) for a new role, C(read) on
    C(auth/PATH/role/NAME/role-id), and C(update) with C(sudo) on C(sys/auth/PATH) to enable the auth method.
  - Without O(name) it needs C(read) and C(update) with C(sudo) on C(sys/auth/PATH). To change the description it also
    needs C(update) with C(sudo) on C(sys/auth/PATH/tune). To disable the auth method it needs C(read) and C(delete)
    with C(sudo) on C(sys/auth/PATH), and C(list) on C(auth/PATH/role).
seealso:
  - module: mlkeys.transit.vault_transit_policy
  - module: mlkeys.transit.vault_transit_secret_id
"""

EXAMPLES = r"""
- name: Allow the gateways to log in from their network, with their policy
  mlkeys.transit.vault_transit_approle:
    name: llm-gateways
    token_policies: [llm-gateways]
    token_ttl: 1h
    token_max_ttl: 24h
    secret_id_ttl: 90d
    secret_id_bound_cidrs: [10.20.0.0/16]
    token_bound_cidrs: [10.20.0.0/16]
  register: llm_gateways

- name: Enable the auth method, without a role
  mlkeys.transit.vault_transit_approle:
    description: Logins of machines

- name: Show the role ID for the gateways' configuration
  ansible.builtin.debug:
    msg: "{{ llm_gateways.approle.role_id }}"

- name: Delete the role
  mlkeys.transit.vault_transit_approle:
    name: llm-gateways
    state: absent
"""

RETURN = r"""
approle:
  description:
    - The role after the run; in check mode, the predicted role. V(null) when it does not exist, and without O(name).
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    path:
      description: Where its auth method is mounted.
      type: str
      returned: always
    role_id:
      description: Its role ID. V(null) for a role that check mode only predicts.
      type: str
      returned: always
  sample:
    name: llm-gateways
    path: approle
    role_id: d0607bb9-eac7-e60c-9cf6-6719530e0fcd
    token_policies: [llm-gateways]
    token_ttl: 3600
    token_max_ttl: 86400
    token_explicit_max_ttl: 0
    token_period: 0
    token_num_uses: 0
    token_bound_cidrs: [10.20.0.0/16]
    token_no_default_policy: false
    token_type: default
    bind_secret_id: true
    secret_id_ttl: 7776000
    secret_id_num_uses: 0
    secret_id_bound_cidrs: [10.20.0.0/16]
    local_secret_ids: false
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._access.approle import reconcile_approle
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import attribute_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.approle import APPROLE_ATTRIBUTES


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        **attribute_spec(APPROLE_ATTRIBUTES),
        "name": {"type": "str"},
        "description": {"type": "str"},
        "path": {"type": "str", "default": "approle"},
        "enable": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_approle)


if __name__ == "__main__":
    main()
