# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: session
type: aggregate
version_added: 0.1.0
short_description: One login per run
description:
  - Lets all lookups and modules of a run share one login for each configuration, in memory.
  - The process that runs the play logs in when a lookup or module needs the server for the first time. A run that does
    not need the server makes no request.
  - A token that is about to expire is renewed, or replaced by a new login. At the end of the run, tokens that a login
    created are revoked (O(mlkeys.transit.vault_transit#lookup:token_revoke)).
  - A command that runs several playbooks, such as C(mlkeys deploy), logs in once for all of them.
  - You do not need this callback if you use the vars plugin P(mlkeys.transit.vault_transit#vars).
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - Enable it with C(callbacks_enabled=mlkeys.transit.session) in C(ansible.cfg).
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = mlkeys.transit.session
"""

import os
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mlkeys.transit.session"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, *_: Any) -> None:
        # No task gets to see it.
        run_sessions().follow(os.environ.pop("MLKEYS_SESSION", ""))
        run_sessions().share()
