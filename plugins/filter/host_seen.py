# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_seen
version_added: 0.1.0
short_description: Sort what an inspection of a host reported
description:
  - Takes the lines that the inspection by P(mlkeys.transit.vault_transit_host#role) printed.
  - Returns them by service.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The lines. Each begins with the name of a service, or with V(.) for the host.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what an inspection reported of a service
  ansible.builtin.debug:
    msg: "{{ (['. systemd', 'app has user'] | mlkeys.transit.host_seen).app }}"
"""

RETURN = r"""
_value:
  description: The lines of each service, and those of the host under C(.). This is private to the role.
  type: dict
"""

from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_no_template
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.files import reported


def host_seen(lines: Any) -> Any:
    return as_no_template(reported(lines))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_seen": host_seen}
