# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: decrypt_vars
version_added: 0.1.0
short_description: Decrypt the variables of an encrypted vars file
description:
  - Decrypts what C(include_vars), C(vars_files), C(-e @FILE) or the C(vars) of a role loaded from a file that
    M(mlkeys.transit.vault_transit_vars) or C(mlkeys set) wrote, with one request, and returns it as a dictionary.
  - Files in C(group_vars) and C(host_vars) need no filter, because the vars plugin
    P(mlkeys.transit.vault_transit#vars) decrypts them.
  - Either all secrets decrypt, or the filter fails.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  _input:
    description:
      - The content of the file, with its C(_transit), or a part of it, with C(_transit). Whatever is not encrypted is
        refused, unless the file allows it.
    type: dict
    required: true
  names:
    description:
      - Decrypts only these secrets. The token then needs no permission for the others. If unset, all are decrypted.
      - For nested data, the path of a secret, or of data around secrets.
    type: list
    elements: str
    default: []
notes:
  - The connection and the login are those of the lookup P(mlkeys.transit.vault_transit_vars#lookup). They are read from
    variables, the environment and C(ansible.cfg), and their options are also options of the filter.
  - Each file sets C(_transit), and the one that Ansible loads last wins. So of C(vars_files), C(-e @FILE) and C(vars)
    of a role, use the filter for one file only. Read several with the lookup
    P(mlkeys.transit.vault_transit_vars#lookup), or load each with O(ansible.builtin.include_vars#module:file) and
    O(ansible.builtin.include_vars#module:name). Files of one O(ansible.builtin.include_vars#module:dir) share a name,
    and so C(_transit).
  - Ansible evaluates a variable each time that it is used, and so a filter in it. Each secret is decrypted as often as
    by the lookup P(mlkeys.transit.vault_transit_vars#lookup), which is once in a run if the vars plugin is enabled.
  - To decrypt a file when it is loaded, use M(mlkeys.transit.load_vars).
seealso:
  - module: mlkeys.transit.load_vars
  - plugin: mlkeys.transit.vault_transit_vars
    plugin_type: lookup
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

- name: Load the ciphertexts
  ansible.builtin.include_vars:
    file: "{{ credentials_folder }}/keys.transit.yml"
    name: loaded

- name: Use a secret of them
  ansible.builtin.assert:
    that: keys.hf_token is truthy
    quiet: true
  vars:
    keys: "{{ loaded | mlkeys.transit.decrypt_vars }}"

- name: Use a secret of vars_files or of -e @keys.transit.yml, whose variables have no common name
  ansible.builtin.assert:
    that: keys.hf_token is truthy
    quiet: true
  vars:
    hf_token: "{{ loaded.hf_token }}"
    _transit: "{{ loaded._transit }}"
    keys: "{{ {'hf_token': hf_token, '_transit': _transit} | mlkeys.transit.decrypt_vars }}"
"""

RETURN = r"""
_value:
  description: The secrets by name, without C(_transit).
  type: dict
  sample:
    openai_api_key: sk-proj-…
"""

from typing import Any, Callable, Mapping

from ansible import constants
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.plugins.loader import lookup_loader
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import (
    connected,
    connection_options,
    decrypting,
    plainly,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import set_options
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import loaded
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.whole_files import values_of
from jinja2 import pass_context

# Its documentation names the sources of the options.
_LOOKUP = "mlkeys.transit.vault_transit_vars"
_WHERE = "decrypt_vars"


@pass_context
def decrypt_vars(context: Any, content: Any, names: Any = (), **options: Any) -> Any:
    if not isinstance(content, Mapping):
        raise AnsibleFilterError(f"{_WHERE}: the input must be the dictionary that was loaded from a file.")
    unknown = sorted(set(options) - {option.name for option in OPTIONS})
    if unknown:
        raise AnsibleFilterError(f"{_WHERE}: unknown options {', '.join(unknown)}.")
    chosen = [names] if isinstance(names, str) else [str(name) for name in names]
    try:
        lookup = lookup_loader.get(_LOOKUP)
        load_name = str(lookup.load_name)
        set_options(lookup, load_name, _variables(context, load_name), options)
        connection = connection_options(lookup.get_option)
        file = loaded(content, "the input", lambda: connected(connection))
        base = "" if chosen else str(context.resolve("playbook_dir") if "playbook_dir" in context else "")
        return plainly(lambda: values_of(file, decrypting(connection, base=base), chosen))
    except TransitError as error:
        raise AnsibleFilterError(f"{_WHERE}: {error.message}") from None
    except AnsibleError as error:
        raise AnsibleFilterError(f"{_WHERE}: {error.message}") from None


def _variables(context: Any, load_name: str) -> dict[str, Any]:
    """Those of the variables that configure the lookup."""
    options = constants.config.get_configuration_definitions("lookup", load_name).values()
    names = {entry["name"] for option in options for entry in option.get("vars") or ()}
    return {name: context.resolve(name) for name in names if name in context}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"decrypt_vars": decrypt_vars}
