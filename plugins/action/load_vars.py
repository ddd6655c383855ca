# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.loading import LoadAction


class ActionModule(LoadAction):
    pass


# Linters check arguments by this.
main = ActionModule.main
