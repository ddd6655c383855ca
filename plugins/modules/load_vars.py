# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: load_vars
version_added: 0.1.0
short_description: Load an encrypted vars file as variables
description:
  - Decrypts a file that M(mlkeys.transit.vault_transit_vars) or C(mlkeys set) wrote, with one request, and sets its
    secrets as variables of the host, as M(ansible.builtin.include_vars) does with files that are not encrypted.
  - Either all secrets decrypt, or the task fails and sets nothing.
  - It runs on the controller, and needs no connection to the host.
  - Files in C(group_vars) and C(host_vars) need no such task, because the vars plugin
    P(mlkeys.transit.vault_transit#vars) decrypts them.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  file:
    description:
      - The encrypted vars file. A relative path is searched as C(vars_files) are, in C(vars) of the role and beside the
        playbook.
    type: path
    required: true
  name:
    description:
      - The variable that gets all secrets as a dictionary. If unset, each secret becomes a variable of its own name.
    type: str
  names:
    description:
      - Decrypts only these secrets. The token then needs no permission for the others. If unset, all are decrypted.
      - For nested data, the path of a secret, or of data around secrets.
    type: list
    elements: str
    default: []
  template:
    description:
      - Whether to evaluate templates in the values, once, when they are loaded. They can use each other and all
        variables of the host. Leave it off for API keys, which can contain braces.
    type: bool
    default: false
extends_documentation_fragment:
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._attributes.info_module
  - mlkeys.transit._auth
  - mlkeys.transit._connection
notes:
  - With ansible-core 2.21 and newer, the variables have the precedence of M(ansible.builtin.include_vars). They exist
    until the run ends, and are in no result and in no fact cache.
  - Older releases can only treat them as facts. They then have the precedence of facts, which is below that of
    variables of a play or a role, and C(meta=clear_facts) removes them. The task fails if a secret would still be
    ciphertext because of such a variable, for example if the same file is in C(vars_files). Ansible stores facts in the
    fact cache, so the task fails if C(fact_caching) is anything else than V(memory), such as V(jsonfile), before it
    decrypts anything. It also fails if C(inject_facts_as_vars) is V(false). With ansible-core 2.20, set
    C(inject_facts_as_vars) to V(true), since Ansible otherwise warns about each fact that is used as a variable.
  - The output of the task is masked if it holds the secrets. With releases before 2.21, what you C(register) holds
    them, too.
  - The vars plugin P(mlkeys.transit.vault_transit#vars) and the callback P(mlkeys.transit.session#callback) let the
    hosts of a run share one login and one request. Without them, each host asks for itself. To ask once, set
    C(run_once), which sets the variables of all hosts of the play.
seealso:
  - module: ansible.builtin.include_vars
  - plugin: mlkeys.transit.vault_transit_vars
    plugin_type: lookup
  - plugin: mlkeys.transit.decrypt_vars
    plugin_type: filter
  - plugin: mlkeys.transit.vault_transit
    plugin_type: vars
"""

EXAMPLES = r"""
- name: Store two secrets
  mlkeys.transit.vault_transit_vars:
    path: "{{ credentials_folder }}/loaded.transit.yml"
    key: ml-api-key
    secrets:
      openai_api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
      hf_token: "{{ lookup('ansible.builtin.env', 'HF_TOKEN') }}"

- name: Load all secrets of the file below one name
  mlkeys.transit.load_vars:
    file: "{{ credentials_folder }}/loaded.transit.yml"
    name: llm_keys

- name: Use one of them
  ansible.builtin.assert:
    that: llm_keys.openai_api_key is truthy
    quiet: true

- name: Load one secret for all hosts, with a token that may decrypt no other
  mlkeys.transit.load_vars:
    file: "{{ credentials_folder }}/loaded.transit.yml"
    names:
      - hf_token
  run_once: true

- name: Use it by its own name
  ansible.builtin.assert:
    that: hf_token is truthy
    quiet: true
"""

RETURN = r"""
ansible_included_var_files:
  description: The file that was loaded.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/project/vars/keys.transit.yml
ansible_facts:
  description: The variables. They are not part of the result with ansible-core 2.21 and newer.
  returned: success, with ansible-core before 2.21
  type: dict
  sample:
    openai_api_key: sk-proj-…
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        "file": {"type": "path", "required": True},
        "name": {"type": "str"},
        "names": {"type": "list", "elements": "str", "default": []},
        "template": {"type": "bool", "default": False},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    # Only code on the controller can set variables.
    module.fail_json(msg="load_vars runs on the controller: use its full name, mlkeys.transit.load_vars.")


if __name__ == "__main__":
    main()
