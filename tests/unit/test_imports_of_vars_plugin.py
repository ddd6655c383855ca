# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vars plugin imports: Ansible compiles modules of a collection in each run, so an inventory pays for each."""

from __future__ import annotations

import json
import subprocess
import sys

LOADED = """
import json, sys
from ansible.plugins.loader import init_plugin_loader, vars_loader
init_plugin_loader()
assert vars_loader.get("mlkeys.transit.vault_transit") is not None
print(json.dumps([name for name in sys.modules if ".mlkeys.transit." in name]))
"""


def test_what_talks_to_a_server_is_imported_only_by_a_run_that_decrypts() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True, text=True)
    names = {name.partition(".plugins.")[2] for name in json.loads(done.stdout)}
    assert "vars.vault_transit" in names
    connecting = {"client", "session", "auth", "transport", "adapter", "messages"}
    assert not {name for name in names if name.startswith("module_utils._connection.") and name[25:] in connecting}
    assert not {"module_utils._transit.api", "module_utils._transit.batch"} & names
