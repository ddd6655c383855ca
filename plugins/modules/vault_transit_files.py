#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_files
version_added: 0.1.0
short_description: Write several files, folders and links in one task
description:
  - Writes files without secrets, such as configurations with ciphertext, creates folders and links, and removes what is
    no longer needed. P(mlkeys.transit.vault_transit_host#role) deploys a service with it.
  - Each file is replaced in one step, in the order of the list.
  - A module takes a part of a second on each machine. M(ansible.builtin.copy), M(ansible.builtin.template) and
    M(ansible.builtin.file) run one or two of them for each file, this module only one for all files.
author:
  - mlkeys contributors (@mlkeys)
options:
  files:
    description:
      - The files, folders and links.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Its path. The folder that it is in must exist, or be an earlier item.
          - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that
            somebody else may write to, they are followed only to places in that folder. A link itself is not followed
            with O(files[].state=link) and O(files[].state=absent).
        type: path
        required: true
      state:
        description:
          - What is at the path.
          - With V(absent), a folder is removed with all that is in it. If another user may have renamed it to this
            path, and it is not empty, or has a folder of somebody else in it that is not empty, it is left as it is,
            and the module fails.
          - With V(directory), the owner and the mode of a folder that exists change only if no other user may have
            renamed it to this path.
        type: str
        choices:
          - absent
          - directory
          - file
          - link
        default: file
      content:
        description:
          - The text of a file. It must not be secret. See M(mlkeys.transit.vault_transit_file) for files with secrets.
          - Required with O(files[].state=file).
        type: str
      target:
        description:
          - Where a link leads.
          - Required with O(files[].state=link).
        type: path
      parents:
        description:
          - Whether missing folders above a folder are created as well, with the same owner, group and mode.
          - Used with O(files[].state=directory).
        type: bool
        default: false
      mode:
        description:
          - Permissions of a file or folder, as in M(ansible.builtin.file).
          - If unset, a new file has V(0600), a new folder V(0700), and others keep theirs.
        type: raw
      owner:
        description:
          - Owner of a file or folder, as in M(ansible.builtin.file).
        type: str
      group:
        description:
          - Group of a file or folder, as in M(ansible.builtin.file).
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
      - A missing folder, owner or group is not an error in check mode, because an earlier task may only have predicted
        it.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The options for connection and authentication are accepted, so that defaults of the action group apply, but they are
    not used, and not sent to the machine.
  - The files are not logged on the machine, because their texts are long. C(--diff) shows them.
seealso:
  - module: mlkeys.transit.vault_transit_file
  - module: ansible.builtin.copy
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Write the configuration of an agent
  mlkeys.transit.vault_transit_files:
    files:
      - path: "{{ credentials_folder }}/agent"
        state: directory
        mode: "0750"
      - path: "{{ credentials_folder }}/agent/agent.hcl"
        content: |
          exit_after_auth = true
        mode: "0640"
      - path: "{{ credentials_folder }}/agent/current.hcl"
        state: link
        target: agent.hcl
      - path: "{{ credentials_folder }}/agent/agent.json"
        state: absent
"""

RETURN = r"""
files:
  description: The files, folders and links, in the order of the option O(files).
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Its path.
      type: str
    changed:
      description: Whether it has changed, or would change.
      type: bool
  sample:
    - path: /etc/agent
      changed: false
    - path: /etc/agent/agent.hcl
      changed: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.placing import run_placing


def argument_spec() -> Spec:
    options: Spec = {
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["absent", "directory", "file", "link"], "default": "file"},
        "content": {"type": "str"},
        "target": {"type": "path"},
        "parents": {"type": "bool", "default": False},
        "mode": {"type": "raw"},
        "owner": {"type": "str"},
        "group": {"type": "str"},
    }
    required = [("state", "file", ["content"]), ("state", "link", ["target"])]
    # Texts of several lines would fill the log of the machine.
    files = {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": options,
        "required_if": required,
        "no_log": True,
    }
    return {**connection_spec(), "files": files}


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run_placing(module)


if __name__ == "__main__":
    main()
