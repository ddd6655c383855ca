#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_unwrap
version_added: 0.1.0
short_description: Unwrap a secret on the machine that needs it
description:
  - Sends a wrapping token to HashiCorp Vault or OpenBao and writes the answer that it wraps to files of the machine.
    Nobody else sees that answer, not even Ansible's controller.
  - A wrapping token can be used once. If somebody else used it before, the module fails and reports that.
  - The machine needs only Python.
author:
  - mlkeys contributors (@mlkeys)
options:
  wrapping_token:
    description:
      - The token, as M(mlkeys.transit.vault_transit_secret_id) returns it.
    type: str
    required: true
  creation_path:
    description:
      - The path of the request whose answer must be wrapped. A token that wraps another answer is refused and not used.
    type: str
  files:
    description:
      - Which parts of the answer to write to which files. The folders must exist.
      - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that
        somebody else may write to, they are followed only to places in that folder.
    type: list
    elements: dict
    required: true
    suboptions:
      field:
        description:
          - Name of the part, such as V(secret_id) or V(secret_id_accessor).
        type: str
        required: true
      path:
        description:
          - The file.
        type: path
        required: true
      mode:
        description:
          - Permissions of the file, as in M(ansible.builtin.file).
        type: raw
        default: "0400"
      owner:
        description:
          - Its owner.
        type: str
      group:
        description:
          - Its group.
        type: str
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
    details:
      - Looks up the token, which stays valid.
  diff_mode:
    support: none
    details:
      - All of the content is secret.
  idempotent:
    support: none
    details:
      - A token can be used once. Run the module when there is a new one.
notes:
  - The options for authentication are accepted, so that defaults of the action group apply, but not used. The wrapping
    token is enough. So are O(retries) and O(rate_limit), since a wrapping token can be used once.
  - O(auth_namespace) is not used either, since the module does not log in. A wrapping token belongs to the namespace of
    the request that created it. Set O(namespace) to that one or to one above it.
seealso:
  - module: mlkeys.transit.vault_transit_secret_id
"""

EXAMPLES = r"""
- name: Create a wrapped secret ID for this machine
  mlkeys.transit.vault_transit_secret_id:
    role: llm-gateways
  register: wrapped
  no_log: true

- name: Unwrap it on the machine
  mlkeys.transit.vault_transit_unwrap:
    wrapping_token: "{{ wrapped.secret_id.wrapping_token }}"
    creation_path: auth/approle/role/llm-gateways/secret-id
    files:
      - field: secret_id
        path: "{{ credentials_folder }}/secret_id"
      - field: secret_id_accessor
        path: "{{ credentials_folder }}/secret_id_accessor"
        mode: "0444"
"""

RETURN = r"""
files:
  description: The files that were written.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/mlkeys/secret_id
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.unwrapping import run_unwrapping


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        "wrapping_token": {"type": "str", "required": True, "no_log": True},
        "creation_path": {"type": "str"},
        "files": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "field": {"type": "str", "required": True},
                "path": {"type": "path", "required": True},
                "mode": {"type": "raw", "default": "0400"},
                "owner": {"type": "str"},
                "group": {"type": "str"},
            },
        },
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run_unwrapping(module)


if __name__ == "__main__":
    main()
