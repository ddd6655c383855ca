# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_services
version_added: 0.1.0
short_description: Derive the files that services with secrets need on a host
description:
  - Takes the services of a host as P(mlkeys.transit.vault_transit_host#role) describes them, and the encrypted vars
    files that their secrets are in.
  - Returns for each service the configuration of its agent, which holds ciphertext, and the files that it needs.
  - Reports all problems of all services at once.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The value of C(vault_transit_host_services).
    type: list
    elements: dict
    required: true
  documents:
    description:
      - Encrypted vars files, each a dictionary with C(path) and C(content).
      - The last file that has a secret wins.
    type: list
    elements: dict
    required: true
  backend:
    description:
      - The path at which the engine is mounted, for services that do not set one.
    type: str
    default: transit
  key:
    description:
      - The key, for services that do not set one.
    type: str
    default: ""
  approle:
    description:
      - The AppRole that agents log in as.
    type: str
    default: ""
  approle_path:
    description:
      - The path at which the AppRole auth method is mounted.
    type: str
    default: approle
  url:
    description:
      - The address at which agents reach the server.
    type: str
    default: ""
  ca_cert:
    description:
      - The file on the host with the CA certificates that agents verify the server with.
    type: str
    default: ""
  ca_cert_bytes:
    description:
      - The CA certificates as PEM text, for a file on the host, if O(ca_cert) is empty.
    type: str
    default: ""
  ca_path:
    description:
      - The folder on the host with the CA certificates, if O(ca_cert) is empty.
    type: str
    default: ""
  client_cert:
    description:
      - The file on the host with the client certificate of agents.
    type: str
    default: ""
  client_key:
    description:
      - The file on the host with the private key of O(client_cert).
    type: str
    default: ""
  tls_server_name:
    description:
      - The name that the server's certificate must be for.
    type: str
    default: ""
  namespace:
    description:
      - The server's namespace.
    type: str
    default: ""
  auth_method:
    description:
      - How agents log in.
    type: str
    default: approle
  auth_path:
    description:
      - The path at which the auth method is mounted, unless it is AppRole. Defaults to the name of the method.
    type: str
    default: ""
  auth_role:
    description:
      - The role of the auth method that agents log in as, unless it is AppRole.
    type: str
    default: ""
  auth_namespace:
    description:
      - The namespace of the auth method, if it is one above O(namespace).
    type: str
    default: ""
  auth_config:
    description:
      - Settings of the auth method in the configuration of agents.
    type: dict
    default: {}
  agent_environment:
    description:
      - Environment variables of agents.
    type: dict
    default: {}
  secret_id_kept:
    description:
      - Whether the host keeps a secret ID. Otherwise each start of an agent uses up a wrapping token.
    type: bool
    default: true
  predicted:
    description:
      - Whether to use placeholders for ciphertext that does not exist yet, as in check mode.
    type: bool
    default: false
  new_ciphertexts:
    description:
      - The secrets whose stored ciphertext an earlier task would replace if it were not for check mode, with the
        C(action) that M(mlkeys.transit.vault_transit_vars) returns for each. Used with O(predicted).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the configuration of an agent
  ansible.builtin.debug:
    msg: "{{ (services | mlkeys.transit.host_services(documents, **host))[0].agent }}"
  vars:
    services:
      - name: litellm
        command: [/usr/bin/litellm, --port, "4000"]
        environment:
          OPENAI_API_KEY: openai_api_key
    documents:
      - path: keys.transit.yml
        content:
          openai_api_key: vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
    host:
      key: ml-api-key
      approle: llm-gateways
      url: https://vault.example.com:8200
"""

RETURN = r"""
_value:
  description: What the role needs to know about each service. This is private to the role.
  type: list
  elements: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_no_template, decrypted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.host import Host
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import described

_DEFAULTS: dict[str, Any] = vars(Host())

_KINDS: dict[type, Callable[[Any], Any]] = {bool: boolean, str: str, dict: decrypted}


def host_services(services: Any, documents: Any, **host: Any) -> Any:
    unknown = sorted(set(host) - set(_DEFAULTS))
    if unknown:
        raise AnsibleFilterError(f"host_services: {', '.join(unknown)} is not an option.")
    settings = {name: _KINDS[type(default)](host.get(name, default)) for name, default in _DEFAULTS.items()}
    try:
        return as_no_template(described(decrypted(services), decrypted(documents), Host(**settings)))
    except InvalidOption as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_services": host_services}
