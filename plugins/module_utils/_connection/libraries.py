# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Import libraries that a machine may lack: hvac, ruamel.yaml, pyrage, cryptography. **Private** to the collection."""

from __future__ import annotations

import importlib
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import LibraryMissing


def library(name: str) -> Any:
    """Import a library where it is used: hvac takes a tenth of a second, which many tasks need not pay.

    Raises:
        LibraryMissing: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise LibraryMissing(name) from None
