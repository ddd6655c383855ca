#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_secret_id
version_added: 0.1.0
short_description: Give a machine a secret ID that only it will see
description:
  - Makes a secret ID of an AppRole of HashiCorp Vault or OpenBao where the machine's present one does not serve, or
    not for long.
  - The secret ID itself is never answered. The server keeps it for a while, for whoever comes first with the wrapping
    token that this module returns. M(mlkeys.transit.vault_transit_unwrap) does so on the machine, and notices when
    somebody was faster.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  role:
    description:
      - Name of the role.
    type: str
    required: true
  path:
    description:
      - Where the auth method is mounted. This is not O(mount_point), which is the method that this module itself logs
        in by.
    type: str
    default: approle
  state:
    description:
      - V(present) sees to it that there is one. V(absent) destroys the one that O(accessor) names.
    type: str
    choices:
      - absent
      - present
    default: present
  accessor:
    description:
      - The accessor of the machine's present secret ID, which is no secret. A new one is made when nothing is said.
    type: str
  renew_before:
    description:
      - Make a new one when the present one ends within this time, for instance V(7d).
    type: str
    default: "0"
  wrap_ttl:
    description:
      - How long the server keeps the secret ID for the machine.
    type: str
    default: 5m
  ttl:
    description:
      - How long it lives, when not as long as the role says.
    type: str
  num_uses:
    description:
      - How often it can be used, when not as often as the role says.
    type: int
  cidr_list:
    description:
      - Networks that it can be used from, within those of the role. Best the one address of the machine.
    type: list
    elements: str
  token_bound_cidrs:
    description:
      - Networks that its tokens work from, within those of the role.
    type: list
    elements: str
  metadata:
    description:
      - What audit logs shall say of it, such as the name of the machine.
    type: dict
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
    details:
      - Shows the accessor, and why there will be another.
  idempotent:
    support: partial
    details:
      - When the O(accessor) of what was made is given the next time.
notes:
  - The token needs C(update) on C(auth/PATH/role/NAME/secret-id), C(auth/PATH/role/NAME/secret-id-accessor/lookup) and
    C(auth/PATH/role/NAME/secret-id-accessor/destroy), and C(read) on C(auth/PATH/role/NAME) for check mode.
seealso:
  - module: mlkeys.transit.vault_transit_approle
  - module: mlkeys.transit.vault_transit_unwrap
"""

EXAMPLES = r"""
- name: Make a secret ID for this machine
  mlkeys.transit.vault_transit_secret_id:
    role: llm-gateways
    metadata:
      host: "{{ inventory_hostname }}"
  register: wrapped
  no_log: true

- name: Destroy one that is not wanted any more
  mlkeys.transit.vault_transit_secret_id:
    role: llm-gateways
    accessor: "{{ wrapped.secret_id.accessor }}"
    state: absent
"""

RETURN = r"""
secret_id:
  description:
    - What is known of the secret ID. V(null) in check mode where a new one would be made, and when it is gone.
    - C(wrapping_token) is a secret as long as it was not used, so set C(no_log=true) on the task.
  returned: success
  type: dict
  contains:
    accessor:
      description: What to give as O(accessor) the next time.
      type: str
      returned: always
    wrapping_token:
      description: What the machine gets the secret ID with, once.
      type: str
      returned: when it was made
    wrapping_ttl:
      description: For how many seconds.
      type: int
      returned: when it was made
    creation_path:
      description: What the wrapped answer has to be an answer to.
      type: str
      returned: when it was made
    expiration_time:
      description: When it ends. The year 1 means never.
      type: str
      returned: when it was there
    num_uses:
      description: How often it can still be used. V(0) for any number.
      type: int
      returned: when it was there
    metadata:
      description: What audit logs say of it.
      type: dict
      returned: when it was there
  sample:
    accessor: 6b590572-900c-75d5-2def-78c11b09b148
    wrapping_token: s.EXAMPLE
    wrapping_ttl: 300
    creation_path: auth/approle/role/llm-gateways/secret-id
reason:
  description: Why it was made.
  returned: when it was made
  type: str
  sample: the present one ends in 3600 seconds
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._access.secret_id import reconcile_secret_id
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import connection_spec, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            "role": {"type": "str", "required": True},
            "path": {"type": "str", "default": "approle"},
            "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
            "accessor": {"type": "str"},
            "renew_before": {"type": "str", "default": "0"},
            "wrap_ttl": {"type": "str", "default": "5m"},
            "ttl": {"type": "str"},
            "num_uses": {"type": "int"},
            "cidr_list": {"type": "list", "elements": "str"},
            "token_bound_cidrs": {"type": "list", "elements": "str", "no_log": False},
            "metadata": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    run(module, reconcile_secret_id)


if __name__ == "__main__":
    main()
