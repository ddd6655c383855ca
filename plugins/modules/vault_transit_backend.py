#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_backend
version_added: 0.1.0
short_description: Manage a Transit secrets engine
description:
  - Enables, tunes and disables a Transit secrets engine of HashiCorp Vault or OpenBao.
  - Unset options are left unchanged. Set options are compared with the mount's own values (C(sys/mounts/PATH)).
  - The module fails when an engine of another type is mounted at the path, or when the token may not read the mount.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  path:
    description:
      - Where the engine is mounted.
    type: str
    default: transit
    aliases:
      - backend
      - engine_mount_point
  state:
    description:
      - Whether the engine is enabled.
      - V(absent) permanently destroys all its keys, even those with C(deletion_allowed=false).
        While the engine holds keys, this needs O(force=true).
    type: str
    choices:
      - absent
      - present
    default: present
  force:
    description:
      - With O(state=absent), disable the engine although it holds keys.
    type: bool
    default: false
  description:
    description:
      - What the engine is for.
    type: str
  default_lease_ttl:
    description:
      - Default lease, for example V(720h), V(30d) or V(3600) seconds. V(0) or V(system) means the server's default.
    type: str
  max_lease_ttl:
    description:
      - Longest lease, written like O(default_lease_ttl).
    type: str
  listing_visibility:
    description:
      - V(unauth) shows the mount to clients without a token, V(hidden) or an empty string does not.
    type: str
  audit_non_hmac_request_keys:
    description:
      - Fields of requests that audit devices log in the clear.
      - Never list V(plaintext) here. It writes every secret in plaintext to the audit log, and the module warns.
    type: list
    elements: str
  audit_non_hmac_response_keys:
    description:
      - Fields of responses that audit devices log in the clear.
    type: list
    elements: str
  passthrough_request_headers:
    description:
      - Headers of requests that the server passes to the engine.
    type: list
    elements: str
  allowed_response_headers:
    description:
      - Headers that the engine may set in responses.
    type: list
    elements: str
  plugin_version:
    description:
      - Version of the plugin that runs the engine.
    type: str
  options:
    description:
      - Options of the mount. They can only be set when it is created.
    type: dict
  local:
    description:
      - Keep the mount out of replication. It can only be set when the mount is created.
    type: bool
  seal_wrap:
    description:
      - Wrap the mount's storage with the seal. It can only be set when the mount is created.
    type: bool
  external_entropy_access:
    description:
      - Let the mount use the server's external source of entropy. It can only be set when the mount is created.
    type: bool
  force_no_cache:
    description:
      - Turn off caching for the mount. It can only be set when the mount is created.
    type: bool
  cache_size:
    description:
      - How many keys the engine's cache holds. V(0) means no limit. Any other value must be at least 10.
      - The server applies a new size when it reloads the plugin.
    type: int
  disable_upsert:
    description:
      - Whether encrypting with a key that does not exist fails, instead of creating that key.
      - With V(true), a mistyped key name is an error.
    type: bool
    default: true
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
  idempotent:
    support: full
seealso:
  - module: mlkeys.transit.vault_transit_key
  - name: API for mounts of OpenBao
    description: Reference of the server's API.
    link: https://openbao.org/api-docs/system/mounts/
"""

EXAMPLES = r"""
- name: Enable the engine
  mlkeys.transit.vault_transit_backend:
    description: Encrypts API keys of ML providers

- name: Enable an engine for a team, with its own leases
  mlkeys.transit.vault_transit_backend:
    path: teams/vision/transit
    default_lease_ttl: 12h
    max_lease_ttl: 30d

- name: Disable the engine and destroy its keys
  mlkeys.transit.vault_transit_backend:
    path: teams/vision/transit
    state: absent
    force: true
"""

RETURN = r"""
backend:
  description:
    - The engine after the run; in check mode, the predicted engine. V(null) when it is not enabled.
    - Durations are in seconds.
  returned: success
  type: dict
  sample:
    path: transit
    description: Encrypts API keys of ML providers
    default_lease_ttl: 0
    max_lease_ttl: 0
    listing_visibility: ""
    audit_non_hmac_request_keys: []
    audit_non_hmac_response_keys: []
    passthrough_request_headers: []
    allowed_response_headers: []
    plugin_version: ""
    options: {}
    local: false
    seal_wrap: false
    external_entropy_access: false
    force_no_cache: false
    disable_upsert: true
refused:
  description:
    - V(true) when the wanted state cannot be reached from the actual one. Nothing was changed, and running again does
      not help.
  returned: when the module fails for this reason
  type: bool
  sample: true
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import attribute_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import reconcile_backend


def argument_spec() -> Spec:
    return {
        **connection_spec(),
        **attribute_spec(MOUNT_ATTRIBUTES),
        "path": {"type": "str", "default": "transit", "aliases": ["backend", "engine_mount_point"]},
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "cache_size": {"type": "int"},
        "disable_upsert": {"type": "bool", "default": True},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, reconcile_backend)


if __name__ == "__main__":
    main()
