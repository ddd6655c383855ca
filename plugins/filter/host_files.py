# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_files
version_added: 0.1.0
short_description: Find the files of a service that a host needs to be sent
description:
  - Takes a service as P(mlkeys.transit.host_services#filter) describes it, and what an inspection reported of its host.
  - Returns the files that are missing on the host or differ. Files that match are not sent.
  - P(mlkeys.transit.vault_transit_host#role) uses it.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The service.
    type: dict
    required: true
  seen:
    description:
      - The lines that the inspection reported of the host and of the service.
    type: list
    elements: str
    required: true
  record:
    description:
      - The list of what is on the host. It is written before everything else.
    type: str
    required: true
  role_id:
    description:
      - The role ID of the agent.
    type: str
    default: ""
  fetch:
    description:
      - The script that decrypts.
    type: str
    default: ""
  run:
    description:
      - The unit. On hosts without systemd, the script.
    type: str
    default: ""
  systemd:
    description:
      - Whether the host has systemd.
    type: bool
    default: false
  boot:
    description:
      - What starts the service at boot on hosts without systemd.
    type: str
    default: ""
  boot_file:
    description:
      - The file for it. If empty, nothing starts the service at boot.
    type: str
    default: ""
  boot_mode:
    description:
      - Permissions of that file.
    type: str
    default: ""
  watch:
    description:
      - The units that watch the ciphertext, the one of the path first.
    type: list
    elements: str
    default: []
  secret_id_kept:
    description:
      - Whether the host keeps a secret ID.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show what a host lacks
  ansible.builtin.debug:
    msg: "{{ service | mlkeys.transit.host_files(inspected, record='file /etc/app.json') }}"
  vars:
    inspected: [has user, has group, has folder]
    service:
      name: app
      folder: /etc/mlkeys/app
      user: app
      group: app
      command: []
      agent: ""
      places: []
"""

RETURN = r"""
_value:
  description:
    - Files, folders and links for M(mlkeys.transit.vault_transit_files), each list in the order in which to write them.
    - This is private to the role.
  type: dict
  contains:
    first:
      description: What is written before the user and the group exist. Empty if both exist already.
      type: list
      elements: dict
    files:
      description: What is written then.
      type: list
      elements: dict
    watch:
      description: The units that watch the ciphertext.
      type: list
      elements: dict
    stamp:
      description: A hash that changes whenever the service has to restart.
      type: str
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_no_template
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.files import Texts, outdated, stamp

_FLAGS = ("systemd", "secret_id_kept")


def host_files(service: Any, seen: Any, **texts: Any) -> Any:
    given = {name: boolean(value) if name in _FLAGS else value for name, value in texts.items()}
    try:
        made = Texts(**given)
    except TypeError:
        made = None
    if made is None:
        raise AnsibleFilterError("host_files: an option is missing or unknown.")
    return as_no_template({**outdated(service, seen, made), "stamp": stamp(service, made)})


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_files": host_files}
