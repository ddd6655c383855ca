# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option that names the engine. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backend:
    description:
      - Where the Transit engine is mounted.
    type: str
    default: transit
    aliases:
      - engine_mount_point
"""

    PLUGINS = r"""
options:
  backend:
    vars:
      - name: ansible_hashi_vault_engine_mount_point
"""
