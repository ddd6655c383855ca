# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings of `vars_plugins_enabled` leave variables encrypted."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_plugins import is_enabled, names_in, problem


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("host_group_vars,mlkeys.transit.vault_transit", ""),
        ("ansible.builtin.host_group_vars, mlkeys.transit.vault_transit", ""),
        ("mlkeys.transit.vault_transit", ""),
        ("host_group_vars", ""),
        ("", ""),
        ("mlkeys.transit.vault_transit,host_group_vars", "before host_group_vars"),
        (
            "mlkeys.transit.vault_transit, x.y.z, ansible.builtin.host_group_vars",
            "before ansible.builtin.host_group_vars",
        ),
        ("host_group_vars,vault_transit", "without the name of its collection"),
    ],
)
def test_what_is_wrong_with_a_setting(setting: str, said: str) -> None:
    found = problem(names_in(setting))
    assert said in found
    assert bool(found) is bool(said)
    assert is_enabled(names_in(setting)) is ("mlkeys.transit.vault_transit" in setting)
