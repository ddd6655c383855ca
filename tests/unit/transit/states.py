# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key as the server shows it, for the tests of plans."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible

State = dict[str, Any]

FRESH: State = {
    "name": "ml",
    "type": "aes256-gcm96",
    "derived": False,
    "exportable": False,
    "allow_plaintext_backup": False,
    "auto_rotate_period": 0,
    "deletion_allowed": False,
    "min_decryption_version": 1,
    "min_encryption_version": 0,
    "min_available_version": 0,
    "latest_version": 1,
}


def key(**facts: object) -> State:
    """A key as the server shows it."""
    return {**FRESH, **facts}


def reasons(error: pytest.ExceptionInfo[ChangeImpossible]) -> list[str]:
    return list(error.value.reasons)
