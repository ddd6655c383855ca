# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_places
version_added: 0.1.0
short_description: Find the places of a host that may hold ciphertexts
description:
  - Adds up what the variables C(vault_transit_host_paths), C(vault_transit_host_files) and
    C(vault_transit_host_services) of a host declare.
  - A variable that is not a list adds nothing. P(mlkeys.transit.rotation_account#filter) and
    P(mlkeys.transit.status#filter) name it.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The value of C(vault_transit_host_paths), files and folders.
    type: raw
    required: true
  files:
    description:
      - The value of C(vault_transit_host_files). The C(dest) of each is a place.
    type: raw
  services:
    description:
      - The value of C(vault_transit_host_services). Unless all of them are absent, C(/etc/mlkeys) is a place. It is
        not if the paths name the folder C(/etc/mlkeys/NAME) of each of them.
    type: raw
  absent:
    description:
      - Returns the folders of the services that are absent instead. They need not exist.
    type: bool
    default: false
seealso:
  - plugin: mlkeys.transit.rotation_account
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what is searched on a host
  ansible.builtin.debug:
    msg: "{{ ['/srv/assistant'] | mlkeys.transit.host_places(files=vault_transit_host_files | default([])) }}"
"""

RETURN = r"""
_value:
  description: Files and folders, each once.
  type: list
  elements: str
  sample: [/srv/assistant, /etc/assistant.env]
"""

from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import FILES, PATHS, SERVICES, declared


def host_places(paths: Any, files: Any = None, services: Any = None, absent: bool = False) -> list[str]:
    places = declared({PATHS: paths, FILES: files, SERVICES: services})
    return list(places.optional if absent else places.paths)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_places": host_places}
