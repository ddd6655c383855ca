# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ansible's setting ``vars_plugins_enabled``, and whether encrypted vars files decrypt with it. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

from typing import Iterable

PLUGIN = "mlkeys.transit.vault_transit"
SETTING = "vars_plugins_enabled"
WANTED = f"host_group_vars,{PLUGIN}"

# Names of the plugin that reads the same files and returns their ciphertexts.
_READERS = ("host_group_vars", "ansible.builtin.host_group_vars", "ansible.legacy.host_group_vars")
_SHORT = PLUGIN.rpartition(".")[2]


def names_in(setting: str) -> list[str]:
    """The plugins in the text of the setting."""
    return [name.strip() for name in setting.split(",") if name.strip()]


def is_enabled(enabled: Iterable[str]) -> bool:
    return PLUGIN in enabled


def problem(enabled: Iterable[str]) -> str:
    """Why variables stay ciphertext although the plugin is listed, empty if they do not or if it is not listed."""
    names = list(enabled)
    if PLUGIN not in names:
        if _SHORT in names:
            return f"{SETTING} lists {_SHORT} without the name of its collection: write {PLUGIN}"
        return ""
    behind = [name for name in names[names.index(PLUGIN) + 1 :] if name in _READERS]
    if behind:
        return f"{SETTING} lists {PLUGIN} before {behind[0]}, which returns the ciphertext again: write {WANTED}"
    return ""
