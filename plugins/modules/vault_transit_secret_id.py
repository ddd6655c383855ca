#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_secret_id
version_added: 0.1.0
short_description: Create a secret ID that only its machine can read
description:
  - Creates a secret ID of an AppRole of HashiCorp Vault or OpenBao when the machine's current secret ID is missing,
    invalid or about to expire.
  - The module never returns the secret ID itself. The server keeps it for a while, and the wrapping token that this
    module returns unwraps it once. M(mlkeys.transit.vault_transit_unwrap) does this on the machine, and detects
    whether somebody else has used the token before.
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
      - Where the auth method is mounted. This is not O(mount_point), the auth method that this module itself logs in
        with.
    type: str
    default: approle
  state:
    description:
      - Whether the machine has a valid secret ID. V(absent) destroys the secret ID of O(accessor).
    type: str
    choices:
      - absent
      - present
    default: present
  accessor:
    description:
      - The accessor of the machine's current secret ID. The accessor is not secret. Without it, the module creates a
        new secret ID.
    type: str
  renew_before:
    description:
      - Create a new secret ID when the current one expires within this time, for example V(7d). It must be shorter
        than a secret ID lives, or each run would create another one. The module fails in that case, as far as the token
        may read the role.
    type: str
    default: "0"
  max_age:
    description:
      - Create a new secret ID when the current one is older than this, for example V(30d). With V(0), at any age the
        current one stays.
    type: str
    default: "0"
  check_rights:
    description:
      - Whether to ask the server first if the token may create, look up and destroy secret IDs of the role, and to fail
        if it may not. With check mode, this shows before a run whether it can replace secret IDs. Nothing is checked if
        the token may not ask for its own rights.
    type: bool
    default: false
  wrap_ttl:
    description:
      - How long the server keeps the secret ID for the machine.
    type: str
    default: 5m
  ttl:
    description:
      - How long the secret ID lives. The default is the role's value.
    type: str
  num_uses:
    description:
      - How often the secret ID can be used. The default is the role's value.
    type: int
  cidr_list:
    description:
      - Networks from which the secret ID can be used, within those of the role. The machine's own address is best.
    type: list
    elements: str
  token_bound_cidrs:
    description:
      - Networks from which its tokens can be used, within those of the role.
    type: list
    elements: str
  metadata:
    description:
      - Data for audit logs, such as the name of the machine.
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
      - Shows the accessor, and the reason for a new secret ID.
  idempotent:
    support: partial
    details:
      - Idempotent when O(accessor) is the accessor that the last run returned.
notes:
  - The token needs C(update) on C(auth/PATH/role/NAME/secret-id), C(auth/PATH/role/NAME/secret-id-accessor/lookup) and
    C(auth/PATH/role/NAME/secret-id-accessor/destroy), and C(read) on C(auth/PATH/role/NAME) in check mode.
seealso:
  - module: mlkeys.transit.vault_transit_approle
  - module: mlkeys.transit.vault_transit_unwrap
"""

EXAMPLES = r"""
- name: Create a secret ID for this machine
  mlkeys.transit.vault_transit_secret_id:
    role: llm-gateways
    metadata:
      host: "{{ inventory_hostname }}"
  register: wrapped
  no_log: true

- name: Destroy a secret ID
  mlkeys.transit.vault_transit_secret_id:
    role: llm-gateways
    accessor: "{{ wrapped.secret_id.accessor }}"
    state: absent
"""

RETURN = r"""
secret_id:
  description:
    - The secret ID's properties. V(null) in check mode when a new one would be created, and when it does not exist.
    - C(wrapping_token) is a secret until it is used, so set C(no_log=true) on the task.
  returned: success
  type: dict
  contains:
    accessor:
      description: The value for O(accessor) in the next run.
      type: str
      returned: always
    wrapping_token:
      description: The token that unwraps the secret ID once.
      type: str
      returned: when a secret ID was created
    wrapping_ttl:
      description: For how many seconds the wrapping token is valid.
      type: int
      returned: when a secret ID was created
    creation_path:
      description: The path that the wrapped response must come from.
      type: str
      returned: when a secret ID was created
    expiration_time:
      description: When the secret ID expires. The year 1 means never. V(null) if the token must not look it up.
      type: str
      returned: always
    num_uses:
      description: How often the secret ID can still be used. V(0) means no limit.
      type: int
      returned: when the current secret ID is still valid
    metadata:
      description: Its data for audit logs.
      type: dict
      returned: when the current secret ID is still valid
  sample:
    accessor: 6b590572-900c-75d5-2def-78c11b09b148
    wrapping_token: s.EXAMPLE
    wrapping_ttl: 300
    creation_path: auth/approle/role/llm-gateways/secret-id
reason:
  description: Why a new secret ID is created.
  returned: when a secret ID was created
  type: str
  sample: the current secret ID expires in 3600 seconds
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._access.secret_id import reconcile_secret_id
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import run


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        "role": {"type": "str", "required": True},
        "path": {"type": "str", "default": "approle"},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "accessor": {"type": "str"},
        "renew_before": {"type": "str", "default": "0"},
        "check_rights": {"type": "bool", "default": False},
        "max_age": {"type": "str", "default": "0"},
        "wrap_ttl": {"type": "str", "default": "5m"},
        "ttl": {"type": "str"},
        "num_uses": {"type": "int"},
        "cidr_list": {"type": "list", "elements": "str"},
        "token_bound_cidrs": {"type": "list", "elements": "str", "no_log": False},
        "metadata": {"type": "dict"},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_secret_id)


if __name__ == "__main__":
    main()
