# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Import libraries that a machine may lack: hvac, ruamel.yaml, pyrage, cryptography, bcrypt, and those of clouds.

**Private** to the collection.
"""

from __future__ import annotations

import importlib
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import LibraryMissing

# Libraries of single auth methods: the package and the extra that bring a module.
_PACKAGES = {
    "botocore": ("botocore", "aws"),
    "azure": ("azure-identity", "azure"),
    "google": ("google-auth", "gcp"),
}


def library(name: str) -> Any:
    """Import a library where it is used: hvac takes a tenth of a second, which many tasks need not pay.

    Raises:
        LibraryMissing: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        package, extra = _PACKAGES.get(name.partition(".")[0], (name, ""))
        raise LibraryMissing(package, extra) from None
