#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_file
version_added: 0.1.0
short_description: Write a file that holds secrets, and show nothing of it
description:
  - Writes a text into a file of the machine, in one step. The text is never shown, not by C(--diff) either.
  - Where M(ansible.builtin.copy) and M(ansible.builtin.template) carry a text over by a temporary file on the
    controller, this one takes it as an argument, which C(pipelining) hands over by a pipe.
  - The secrets are readable on the machine from then on. P(mlkeys.transit.vault_transit_host#role) has ways to spare a
    machine that.
author:
  - mlkeys contributors (@mlkeys)
options:
  path:
    description:
      - The file. Its folder must exist.
    type: path
    required: true
  content:
    description:
      - The text.
    type: str
    required: true
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
      - A missing folder is no failure there, because a task before may only have foretold it.
  diff_mode:
    support: none
    details:
      - Everything that differs may be secret.
  idempotent:
    support: full
notes:
  - Options of connection and authentication are taken, so that defaults of the action group fit, and not used.
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.files import run_writing
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import connection_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "mode": {"type": "raw", "default": "0600"},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    run_writing(module)


if __name__ == "__main__":
    main()
