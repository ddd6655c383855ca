#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_file
version_added: 0.1.0
short_description: Write a file with secrets without showing them
description:
  - Writes a text to a file of the machine, in one step. The text is never shown, not even with C(--diff).
  - M(ansible.builtin.copy) and M(ansible.builtin.template) put the text into a temporary file on the controller. This
    module takes it as an argument, which C(pipelining) sends through a pipe.
  - The secrets are then readable on the machine. P(mlkeys.transit.vault_transit_host#role) has ways to avoid that.
author:
  - mlkeys contributors (@mlkeys)
options:
  path:
    description:
      - The file. Its folder must exist.
      - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that
        somebody else may write to, they are followed only to places in that folder.
    type: path
    required: true
  content:
    description:
      - The text.
    type: str
    required: true
  allow_ciphertext:
    description:
      - Whether O(content) may hold ciphertext (C(vault:vN:...)), also encoded for a URL or in base64. Otherwise the
        module fails before it writes anything, because a variable that was not decrypted would replace a good key.
      - Set it for programs that decrypt themselves.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, as in M(ansible.builtin.file).
    type: raw
    default: "0600"
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._connection
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
    details:
      - A missing folder is not an error in check mode, because an earlier task may only have predicted it.
  diff_mode:
    support: none
    details:
      - All of the content may be secret.
  idempotent:
    support: full
notes:
  - The options for connection and authentication are accepted, so that defaults of the action group apply, but they are
    not used, and not sent to the machine.
seealso:
  - plugin: mlkeys.transit.vault_transit
    plugin_type: lookup
  - plugin: mlkeys.transit.shaped
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write a key that Ansible decrypts
  mlkeys.transit.vault_transit_file:
    path: "{{ credentials_folder }}/.env"
    content: "{{ {'OPENAI_API_KEY': openai_api_key} | mlkeys.transit.shaped('dotenv') }}"
  vars:
    openai_api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
"""

RETURN = r"""
path:
  description: The file, with all links followed.
  returned: success
  type: str
  sample: /srv/assistant/.env
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec, file_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import run_writing


def argument_spec() -> Spec:
    return {
        **file_spec(),
        **connection_spec(),
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True, "no_log": True},
        "allow_ciphertext": {"type": "bool", "default": False},
        "mode": {"type": "raw", "default": "0600"},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        add_file_common_args=True,
        supports_check_mode=True,
    )
    run_writing(module)


if __name__ == "__main__":
    main()
