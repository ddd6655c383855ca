# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: connection
version_added: 0.1.0
short_description: Settings of the controller's connection that hosts share
description:
  - Returns the address, the namespace or the text of CA certificates that modules and lookups use on the controller,
    from options, variables, the environment or C(ansible.cfg).
  - The role P(mlkeys.transit.vault_transit_host#role) takes from it what nothing sets for a host.
  - Asks no server.
author:
  - mlkeys contributors (@mlkeys)
options:
  _terms:
    description:
      - V(url), V(namespace) or V(ca_cert_bytes).
      - If other machines cannot use the address, V(url) is empty. This is so for a Unix socket, and for several
        addresses. The address in E(BAO_AGENT_ADDR) or E(VAULT_AGENT_ADDR) is left out.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
"""

EXAMPLES = r"""
- name: Show the namespace that the next tasks use
  ansible.builtin.debug:
    msg: "{{ lookup('mlkeys.transit.connection', 'namespace') }}"
"""

RETURN = r"""
_raw:
  description: The setting that each term names. It is empty if nothing sets it.
  type: list
  elements: str
  sample: [org/team-a]
"""

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import connection_options, plainly
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    refuse_unknown,
    server_for_hosts,
    set_options,
    templated_variables,
)


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        load_name = str(self._load_name)
        configured = templated_variables(load_name, variables or {}, self._templar)
        refuse_unknown(load_name, kwargs)
        set_options(self, load_name, configured, kwargs)
        found = plainly(lambda: server_for_hosts(connection_options(self.get_option), os.environ))
        if unknown := [term for term in terms if term not in found]:
            raise AnsibleError(f"connection: the term '{unknown[0]}' must be one of: {', '.join(found)}.")
        return [found[term] for term in terms]
