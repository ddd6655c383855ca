# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading an action plugin imports its module, so that Ansible's workers inherit it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOADED = """
import json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader()
action_loader.get("mlkeys.transit." + sys.argv[1], class_only=True)
print(json.dumps(sorted(sys.modules)))
"""
MODULES = "ansible_collections.mlkeys.transit.plugins.modules"


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("vault_transit_key", {"hvac"}),
        ("vault_transit_vars", {"hvac", "ruamel.yaml"}),
        ("vault_transit_rewrap", set()),
    ],
)
def test_the_module_and_its_libraries_are_imported(name: str, libraries: set[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, name], capture_output=True, text=True, check=True)
    # The lookup's documentation names the sources of the options.
    lookup = "ansible_collections.mlkeys.transit.plugins.lookup.vault_transit"
    assert {f"{MODULES}.{name}", lookup, *libraries} <= set(json.loads(done.stdout))
