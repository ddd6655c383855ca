# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The part of the collection that decrypts, for machines without Ansible.

The folders beside this file link to the files of the collection, which import one another under its full name. `carry`
imports them under that name without Ansible, unless Ansible has made the collection importable.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_UTILS = "ansible_collections.mlkeys.transit.plugins.module_utils"
# What makes collections importable.
_LOADER = "ansible.utils.collection_loader"
# The package has these already, and both would only take time.
_SHARED = (
    *("_attributes.attribute", "_attributes.key", "_attributes.mount", "_files.reading", "_files.replacing"),
    *("_yaml.limits", "_yaml.words", "ciphertext_version", "durations", "kept_sealed", "key_types"),
    *("merge_conflicts", "names", "printable", "suggestions", "vars_files"),
)
# Whatever else is needed, these import.
_FIRST = ("_connection.session", "_connection.plain", "_transit.api", "_vars_file.stored")


def carry() -> None:
    """Import the modules, so that code which imports them by their names finds them.

    Their packages leave no trace: other collections, and the rest of this one, are found as ever.
    """
    if f"{_UTILS}.{_FIRST[-1]}" in sys.modules or _is_importable():
        return
    before = set(sys.modules)
    above = _UTILS.split(".")
    names = [".".join(above[:count]) for count in range(1, len(above) + 1)]
    hidden = {name: sys.modules[name] for name in names if name in sys.modules}
    for name in names:
        sys.modules[name] = _package(name, [str(Path(__file__).parent)] if name == _UTILS else [])
    for one in _SHARED:
        sys.modules[f"{_UTILS}._shared.{one}"] = importlib.import_module(f"mlkeys._shared.{one}")
    try:
        for name in _FIRST:
            importlib.import_module(f"{_UTILS}.{name}")
    finally:
        ours = {name for name in sys.modules if name.startswith(above[0])} - before
        for name in [*names, *(name for name in ours if hasattr(sys.modules[name], "__path__"))]:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _package(name: str, folders: list[str]) -> ModuleType:
    made = ModuleType(name)
    made.__path__ = folders
    made.__spec__ = ModuleSpec(name, None, is_package=True)
    return made


def _is_importable() -> bool:
    """Whether Ansible is here already, and finds the collection."""
    if _LOADER not in sys.modules:
        return False
    try:
        return importlib.util.find_spec(f"{_UTILS}.{_FIRST[-1]}") is not None
    except ImportError:
        return False
