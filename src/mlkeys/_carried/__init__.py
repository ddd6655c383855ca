# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The part of the collection that decrypts, for machines without Ansible.

The folders beside this file link to the files of the collection, which import one another under its full name. Here
they get that name without Ansible, unless Ansible has made the collection importable.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_TOP = "ansible_collections"
_COLLECTION = f"{_TOP}.mlkeys.transit"
_UTILS = f"{_COLLECTION}.plugins.module_utils"
# What makes collections importable. Nobody imports it twice.
_LOADER = "ansible.utils.collection_loader"


class _Leave(MetaPathFinder):
    """Finds nothing. It takes the names back when Ansible arrives, which has packages of its own for them."""

    def find_spec(self, fullname: str, *_where: object) -> ModuleSpec | None:
        if fullname == _LOADER:
            leave()
        return None


_leave = _Leave()


def carry() -> None:
    """Make the modules importable under the collection's name. The collection itself wins, where it is importable."""
    if _COLLECTION in sys.modules or _is_importable():
        return
    above = _UTILS.split(".")
    for count in range(1, len(above) + 1):
        name = ".".join(above[:count])
        if name not in sys.modules:
            package = sys.modules[name] = ModuleType(name)
            package.__path__ = [str(Path(__file__).parent)] if name == _UTILS else []
            package.__spec__ = ModuleSpec(name, None, is_package=True)
    sys.meta_path.insert(0, _leave)


def _is_importable() -> bool:
    """Whether Ansible is here already, and finds the collection."""
    if _LOADER not in sys.modules:
        return False
    try:
        return importlib.util.find_spec(_UTILS) is not None
    except ImportError:
        return False


def leave() -> None:
    """Take the names of packages back. The modules in them that were imported stay the only ones of their names."""
    if _leave in sys.meta_path:
        sys.meta_path.remove(_leave)
    for name, module in list(sys.modules.items()):
        if (name == _TOP or name.startswith(f"{_TOP}.")) and hasattr(module, "__path__"):
            del sys.modules[name]
