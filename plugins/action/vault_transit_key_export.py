# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.base import TransitAction


class ActionModule(TransitAction):
    MODULE = "vault_transit_key_export"


# Linters check arguments by this.
main = ActionModule.main
