# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_transit_vars
version_added: 0.1.0
short_description: Decrypt an encrypted vars file
description:
  - Decrypts all secrets of a file that M(mlkeys.transit.vault_transit_vars) or C(mlkeys set) wrote, with one request,
    and returns them as a dictionary.
  - Use it where the vars plugin P(mlkeys.transit.vault_transit#vars) does not read the file, such as in C(vars) of a
    play or a role, and for files outside of C(group_vars) and C(host_vars).
  - Either all secrets decrypt, or the lookup fails.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  _terms:
    description:
      - Paths of encrypted vars files. A relative path is searched as C(vars_files) are, in C(vars) of the role and
        beside the playbook.
    type: list
    elements: str
    required: true
  names:
    description:
      - Decrypts only these secrets. The token then needs no permission for the others. If unset, all are decrypted.
      - For nested data, the path of a secret, or of data around secrets.
    type: list
    elements: str
    default: []
  decrypt:
    description:
      - If V(false), returns what the file holds as it is stored, with its C(_transit), also if that points to a
        document of a KV engine. No text of it is a template, whatever it contains. Asks no server.
    type: bool
    default: true
  missing_ok:
    description: Whether a file that does not exist counts as empty.
    type: bool
    default: false
extends_documentation_fragment:
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
notes:
  - Ansible evaluates a variable each time that it is used, and so a lookup in it. If the vars plugin
    P(mlkeys.transit.vault_transit#vars) or the callback P(mlkeys.transit.session#callback) is enabled, the process that
    runs the play asks the server for the secrets of a file once in a run, for all hosts and uses, and keeps them in
    memory. Otherwise each task asks for each host. Nothing is stored on a disk.
  - Unless O(names) is set, the request takes along the entries of the same key in the other files beside the playbook,
    in its C(vars) and in those of its roles, which are likely to be used next. A token for single secrets is then asked
    for those of the file alone.
  - Register nothing that holds secrets, and use C(set_fact) only without C(cacheable).
seealso:
  - module: mlkeys.transit.load_vars
  - module: mlkeys.transit.vault_transit_vars
  - plugin: mlkeys.transit.decrypt_vars
    plugin_type: filter
  - plugin: mlkeys.transit.vault_transit
    plugin_type: vars
"""

EXAMPLES = r"""
- name: Store two secrets
  mlkeys.transit.vault_transit_vars:
    path: "{{ credentials_folder }}/keys.transit.yml"
    key: ml-api-key
    secrets:
      openai_api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
      hf_token: "{{ lookup('ansible.builtin.env', 'HF_TOKEN') }}"

- name: Use all secrets of the file
  ansible.builtin.assert:
    that:
      - keys.openai_api_key is truthy
      - keys.hf_token is truthy
    quiet: true
  vars:
    keys: "{{ lookup('mlkeys.transit.vault_transit_vars', credentials_folder ~ '/keys.transit.yml') }}"

- name: Use one secret, with a token that may decrypt no other
  ansible.builtin.assert:
    that: keys.hf_token is truthy
    quiet: true
  vars:
    path: "{{ credentials_folder }}/keys.transit.yml"
    keys: "{{ lookup('mlkeys.transit.vault_transit_vars', path, names=['hf_token']) }}"
"""

RETURN = r"""
_raw:
  description: For each file, a dictionary of its secrets.
  type: list
  elements: dict
  sample:
    - openai_api_key: sk-proj-…
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import (
    connected,
    connection_options,
    decrypting,
    plainly,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    refuse_unknown,
    set_options,
    templated_variables,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import (
    load,
    not_found,
    stored_content,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.whole_files import values_of


class LookupModule(LookupBase):
    @property
    def load_name(self) -> str:
        """The name under which Ansible keeps the documentation, for the filter with the same options."""
        return str(self._load_name)

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        configured = templated_variables(self.load_name, variables or {}, self._templar)
        refuse_unknown(self.load_name, kwargs)
        set_options(self, self.load_name, configured, kwargs)
        names = self.get_option("names")
        if names and not self.get_option("decrypt"):
            raise AnsibleError("names chooses what is decrypted: leave it out, or decrypt.")
        paths = [self._path(str(term), variables or {}) for term in terms]
        options = connection_options(self.get_option)

        def stored() -> list[Any]:
            return [stored_content(path) if path else {} for path in paths]

        def decrypted() -> list[Any]:
            loader: Any = self._loader
            decrypt = decrypting(options, base="" if names else str(loader.get_basedir()))
            return [values_of(load(path, lambda: connected(options)), decrypt, names) if path else {} for path in paths]

        return plainly(decrypted if self.get_option("decrypt") else stored)

    def _path(self, term: str, variables: dict[str, Any]) -> str:
        """Empty for a file that may be missing, and is."""
        found = self.find_file_in_search_path(variables, "vars", term, ignore_missing=True)
        if found is None and not self.get_option("missing_ok"):
            raise AnsibleError(not_found(term))
        return str(found or "")
